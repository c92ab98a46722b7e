import { Op, environmentFrom } from "@cev/core";
import type { Environment, Io } from "@cev/core";
import { FaultLayer, NoOpLayer, PowerCutLayer, Random } from "@cev/test-kit";
import { describe, expect, it } from "vitest";
import { makeImages } from "./support/make-array.ts";
import type { ArrayShape } from "./support/make-array.ts";
import { openArray } from "./support/open-array.ts";

const BLOCK = 512;
const SHAPE: ArrayShape = { memberCount: 4, chunkCount: 4, bitmapChunkSize: 4096 };

/** A disk that tells when something is about to be written to it. */
class TellingLayer extends NoOpLayer {
  onWrite: (() => void) | null = null;

  override submit(io: Io): void {
    if (io.op === Op.write || io.op === Op.flush) this.onWrite?.();
    super.submit(io);
  }
}

/** What a block may hold after a cut: what was flushed last, or anything written since. */
class History {
  readonly #blocks: Uint8Array[][];

  constructor(size: number) {
    this.#blocks = Array.from({ length: size / BLOCK }, () => [new Uint8Array(BLOCK)]);
  }

  /** A write was begun. */
  began(offset: number, data: Uint8Array): void {
    this.#each(offset, data, (block, part) => block.push(part));
  }

  /** What was begun last is durable. */
  durable(offset: number, length: number): void {
    this.#each(offset, new Uint8Array(length), (block) => block.splice(0, block.length - 1));
  }

  copy(): History {
    const copy = new History(0);
    for (const block of this.#blocks) copy.#blocks.push([...block]);
    return copy;
  }

  /** The number of the first block of a range that holds what it may not, or -1. */
  firstWrong(bytes: Uint8Array, offset = 0, length: number = bytes.length): number {
    for (let index = offset / BLOCK; index < (offset + length) / BLOCK; index++) {
      const held = Buffer.from(bytes.buffer, bytes.byteOffset + index * BLOCK, BLOCK);
      if (this.#blocks[index]!.every((allowed) => held.compare(allowed) !== 0)) return index;
    }
    return -1;
  }

  #each(offset: number, data: Uint8Array, visit: (block: Uint8Array[], part: Uint8Array) => void): void {
    for (let at = 0; at < data.length; at += BLOCK)
      visit(this.#blocks[(offset + at) / BLOCK]!, data.slice(at, at + BLOCK));
  }
}

interface Cut {
  readonly images: readonly Uint8Array[];
  readonly history: History;
}

interface Rig {
  readonly environment: Environment;
  readonly disks: PowerCutLayer[];
  readonly faults: FaultLayer[];
  readonly members: TellingLayer[];
}

function rigOf(images: readonly Uint8Array[]): Rig {
  const environment = environmentFrom(globalThis);
  const disks = images.map(
    (contents) => new PowerCutLayer(environment, { size: contents.length, contents, completion: "later" }),
  );
  const faults = disks.map((disk) => new FaultLayer(disk, environment));
  return { environment, disks, faults, members: faults.map((fault) => new TellingLayer(fault)) };
}

/** Runs a workload once and takes, before every write and flush of every member, what a power cut would leave there. */
async function cutsOf(seed: number, failAt: number | null): Promise<Cut[]> {
  const random = new Random(seed);
  const { environment, disks, faults, members } = rigOf(makeImages(SHAPE));
  const cuts: Cut[] = [];
  let history: History | null = null;
  for (const member of members) {
    member.onWrite = () => {
      if (history === null) return;
      cuts.push({ images: disks.map((disk) => disk.imageAfterCut(random)), history: history.copy() });
    };
  }
  const { device } = await openArray(members, { environment });
  history = new History(device.size);
  for (let round = 0; round < 5; round++) {
    if (round === failAt) faults[random.below(4)]!.lose();
    const taken: { offset: number; length: number }[] = [];
    await Promise.all(
      [1, 2, 3].map(async () => {
        const length = BLOCK * random.between(1, random.chance(0.3) ? 40 : 6);
        const offset = BLOCK * random.below((device.size - length) / BLOCK + 1);
        if (taken.some((other) => offset < other.offset + other.length && other.offset < offset + length))
          return;
        taken.push({ offset, length });
        const data = random.bytes(length);
        const fua = random.chance(0.3);
        history.began(offset, data);
        await device.write(offset, data, { fua });
        if (fua) history.durable(offset, length);
      }),
    );
    if (random.chance(0.6)) {
      await device.flush();
      history.durable(0, device.size);
    }
  }
  await device.close();
  history.durable(0, device.size);
  cuts.push({ images: disks.map((disk) => disk.imageAfterCut(random)), history });
  return cuts;
}

describe("a power cut after any write of any member", () => {
  it.each([1, 2, 3, 4, 5, 6])(
    "loses nothing that was flushed, and resync makes the parity right (seed %i)",
    async (seed) => {
      const cuts = await cutsOf(seed, null);
      expect(cuts.length).toBeGreaterThan(60);
      for (const [index, { images, history }] of cuts.entries()) {
        const { environment, members, disks } = rigOf(images);
        const whole = await openArray(members, { environment });
        const bytes = await whole.device.read(0, whole.device.size);
        expect(history.firstWrong(bytes), `cut ${index}`).toBe(-1);
        await whole.layer.idle();
        await whole.device.close();
        // What was resynced gives the same bytes without any one of the members.
        const missing = index % 4;
        const again = rigOf(disks.map((disk) => disk.contents));
        const left = again.members.filter((_, member) => member !== missing);
        const degraded = await openArray(left, { environment: again.environment });
        expect(degraded.opened.state).toBe("clean, degraded");
        expect(await degraded.device.read(0, degraded.device.size)).toEqual(bytes);
        await degraded.device.close();
      }
    },
  );

  it.each([1, 2, 3, 4, 5, 6])("never brings back a member that had failed before (seed %i)", async (seed) => {
    const cuts = await cutsOf(seed + 100, 2);
    expect(cuts.length).toBeGreaterThan(50);
    for (const [index, { images, history }] of cuts.entries()) {
      const { environment, members } = rigOf(images);
      const { device, opened, layer } = await openArray(members, { environment });
      if (opened.state === "clean, degraded" || opened.state === "clean") {
        expect(history.firstWrong(await device.read(0, device.size)), `cut ${index}`).toBe(-1);
      } else {
        // Chunks of the members that are there; the others hang on a parity that is in doubt.
        const bytes = new Uint8Array(device.size);
        const isThere: boolean[] = [];
        for (let at = 0; at < device.size; at += 4096) {
          const data = await device.read(at, 4096).catch(() => null);
          isThere.push(data !== null);
          if (data !== null) bytes.set(data, at);
        }
        const { lostCount } = layer.array;
        expect(isThere.filter((isOne) => !isOne).length).toBeLessThanOrEqual(lostCount * 4);
        expect(wrongAmong(history, bytes, isThere), `cut ${index}`).toEqual([]);
      }
      await device.close();
    }
  });
});

/** Chunks that were read and hold what they may not. */
function wrongAmong(history: History, bytes: Uint8Array, isThere: readonly boolean[]): number[] {
  return isThere.flatMap((isOne, chunk) =>
    isOne && history.firstWrong(bytes, chunk * 4096, 4096) >= 0 ? [chunk] : [],
  );
}
