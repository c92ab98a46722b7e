import { Io, Op, closeTree, openTree } from "@cev/core";
import { FaultLayer, MemoryLayer, SimulatedWorld } from "@cev/test-kit";
import { expect, test } from "vitest";
import { encodeMirrorLog } from "../src/volumes/mirror/log-format.ts";
import { MirrorLayer } from "../src/volumes/mirror/mirror-layer.ts";

const REGION = 4096;
const BLOCK = 512;
const BLOCK_COUNT = 80;
const SIZE = BLOCK_COUNT * BLOCK;

/** What the blocks of a mirror may hold: after a write that failed either of two values, or more. */
class Expected {
  readonly #blocks: Set<number>[] = Array.from({ length: BLOCK_COUNT }, () => new Set([0]));

  written(first: number, count: number, value: number, isDone: boolean): void {
    for (let block = first; block < first + count; block++)
      if (isDone) this.#blocks[block] = new Set([value]);
      else this.#blocks[block]!.add(value);
  }

  /** Of a read nothing but what may be there; and from now on it is that. */
  read(first: number, data: Uint8Array): void {
    for (let at = 0; at < data.length; at += BLOCK) {
      const block = first + at / BLOCK;
      expect([...this.#blocks[block]!]).toContain(data[at]);
      expect(data.subarray(at, at + BLOCK).every((byte) => byte === data[at])).toBe(true);
      this.#blocks[block] = new Set([data[at]!]);
    }
  }
}

test.each([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12])(
  "whatever fails, what was written is read, and once all is well the images are alike (seed %i)",
  async (seed) => {
    const world = new SimulatedWorld({ seed });
    const { environment, random } = world;
    const disks = [SIZE, SIZE, SIZE, 4096].map(
      (size, index) =>
        new MemoryLayer(environment, {
          size,
          completion: "random",
          seed: seed * 10 + index,
          ...(index === 3 ? { contents: encodeMirrorLog({ regionCount: SIZE / REGION }) } : {}),
        }),
    );
    const faults = disks.map((disk) => new FaultLayer(disk, environment));
    let canFail = false;
    for (const fault of faults)
      fault.add({
        fault: { kind: "error", code: "CEV_MEDIUM" },
        probability: 0.03,
        accepts: () => canFail,
      });
    const mirror = new MirrorLayer({
      name: "vg0/root",
      environment,
      size: SIZE,
      regionSize: REGION,
      images: faults.slice(0, 3),
      log: faults[3]!,
      isLogMissing: false,
      isReadOnly: false,
      report: () => undefined,
    });
    const expected = new Expected();
    let value = 0;
    for (let round = 0; round < 4; round++) {
      await world.drive(openTree(mirror));
      canFail = true;
      for (let count = 0; count < 40; count++) {
        const first = random.below(BLOCK_COUNT);
        const blocks = 1 + random.below(Math.min(12, BLOCK_COUNT - first));
        const data = new Uint8Array(blocks * BLOCK);
        const op = random.below(3) === 0 ? Op.read : Op.write;
        if (op === Op.write) data.fill(++value);
        const io = new Io(environment.runQueue).prepare(op, first * BLOCK, data.length, data);
        const done = io.promise().then(
          () => true,
          () => false,
        );
        mirror.submit(io);
        const isDone = await world.drive(done);
        if (op === Op.write) expected.written(first, blocks, data[0]!, isDone);
        else if (isDone) expected.read(first, data);
      }
      canFail = false;
      await world.drive(closeTree(mirror));
    }
    await world.drive(openTree(mirror));
    await world.drive(mirror.idle());
    const all = new Uint8Array(SIZE);
    const io = new Io(environment.runQueue).prepare(Op.read, 0, SIZE, all);
    const done = io.promise();
    mirror.submit(io);
    await world.drive(done);
    expected.read(0, all);
    await world.drive(closeTree(mirror));
    for (const { bytes } of disks.slice(0, 3)) expect(bytes).toEqual(all);
  },
);
