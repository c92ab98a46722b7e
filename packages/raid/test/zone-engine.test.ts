import { Op } from "@cev/core";
import { ModelDevice, Random } from "@cev/test-kit";
import { describe, expect, test } from "vitest";
import { ZoneMap } from "../src/levels/zone-map.ts";
import { EngineBench, ENGINE_DATA_START, ended } from "./support/engine-bench.ts";
import type { EngineBenchOptions } from "./support/engine-bench.ts";

const CHUNK = 4096;

const SHAPES: readonly (EngineBenchOptions & { readonly name: string })[] = [
  { name: "linear", level: -1, memberSizes: [16_384, 8192, 24_576] },
  { name: "linear of one", level: -1, memberSizes: [16_384] },
  { name: "RAID0", level: 0, layout: 1, chunkSize: CHUNK, memberSizes: [32_768, 32_768, 32_768] },
  {
    name: "RAID0 of unequal members",
    level: 0,
    layout: 1,
    chunkSize: CHUNK,
    memberSizes: [8192, 40_960, 20_480, 24_576],
  },
  {
    name: "RAID0 of unequal members, alternate layout",
    level: 0,
    layout: 2,
    chunkSize: CHUNK,
    memberSizes: [8192, 40_960, 20_480, 24_576],
  },
  {
    name: "RAID0, chunk no power of two",
    level: 0,
    layout: 1,
    chunkSize: 12_288,
    memberSizes: [49_152, 36_864],
  },
];

/** What the array holds by the members alone, byte by byte. */
function contentsOf(bench: EngineBench): Uint8Array {
  const map = new ZoneMap(bench.geometry);
  const bytes = new Uint8Array(map.size);
  for (let offset = 0; offset < map.size; offset += 512) {
    const at = map.memberOffsetOf(offset);
    bytes.set(bench.dataOf(map.memberOf(offset)).subarray(at, at + 512), offset);
  }
  return bytes;
}

describe.each(SHAPES)("$name", (shape) => {
  test("holds what was written, read, discarded and zeroed at random", async () => {
    for (let seed = 1; seed <= 6; seed++) {
      const bench = new EngineBench({ ...shape, completion: seed % 2 === 0 ? "random" : "atOnce", seed });
      const random = new Random(seed);
      const { size } = bench.engine;
      const model = new ModelDevice(size, true);
      for (let count = 0; count < 60; count++) {
        const offset = random.below(size / 512) * 512;
        const length = random.between(1, (size - offset) / 512) * 512;
        const op = random.pick([Op.read, Op.write, Op.write, Op.writeZeroes, Op.discard]);
        if (op === Op.read) {
          expect(model.firstDifference(offset, await bench.read(offset, length))).toBe(-1);
        } else if (op === Op.write) {
          const data = random.bytes(length);
          await bench.write(offset, data);
          model.write(offset, data);
        } else {
          const io = await bench.run(op, offset, length);
          expect(io.error).toBeNull();
          expect(io.offset).toBe(offset);
          if (op === Op.discard) model.forget(offset, length);
          else model.writeZeroes(offset, length);
        }
      }
      expect(model.firstDifference(0, contentsOf(bench))).toBe(-1);
      expect(model.firstDifference(0, await bench.read(0, size))).toBe(-1);
    }
  });

  test("a discard reaches exactly the bytes of the range, in one request for each member of each zone", async () => {
    const random = new Random(7);
    for (let count = 0; count < 40; count++) {
      const bench = new EngineBench({
        ...shape,
        contents: (member) => filled(shape.memberSizes[member]!, 1),
      });
      const { size } = bench.engine;
      const offset = random.below(size / 512) * 512;
      const length = random.between(1, (size - offset) / 512) * 512;
      expect((await bench.run(Op.writeZeroes, offset, length)).error).toBeNull();
      const expected = filled(size, 1);
      expected.fill(0, offset, offset + length);
      expect(contentsOf(bench)).toEqual(expected);
      const zones = new ZoneMap(bench.geometry).zones;
      bench.countsOf(Op.writeZeroes).forEach((requestCount, member) => {
        expect(requestCount).toBeLessThanOrEqual(
          zones.filter((zone) => zone.members.includes(member)).length,
        );
      });
    }
  });

  test("requests to a lost member fail with its name, those to the others go on", async () => {
    const bench = new EngineBench(shape);
    const map = new ZoneMap(bench.geometry);
    const lost = map.memberOf(0);
    bench.faults[lost]!.lose();
    for (let round = 0; round < 2; round++) {
      const io = await bench.run(Op.read, 0, 512, new Uint8Array(512));
      expect(io.error?.code).toBe("CEV_DEVICE_LOST");
      expect(io.error?.message).toContain(`disk${lost}`);
      expect(io.offset).toBe(0);
    }
    expect((await bench.run(Op.writeZeroes, 0, map.size)).error?.message).toContain(`disk${lost}`);
    for (let offset = 0; offset < map.size; offset += CHUNK) {
      const io = await bench.run(Op.write, offset, 512, new Uint8Array(512));
      expect(io.error === null).toBe(map.memberOf(offset) !== lost);
    }
  });
});

test("a request within one piece goes down as the same Io, and comes back unmoved", async () => {
  const bench = new EngineBench({ ...SHAPES[2]!, completion: "byHand" });
  const io = bench.submit(Op.write, CHUNK * 4 + 512, 1024, new Uint8Array(1024), 1);
  const [pending] = bench.disks[1]!.pending;
  expect(pending).toBe(io);
  expect(io.offset).toBe(ENGINE_DATA_START + CHUNK + 512);
  expect(bench.disks[1]!.log[0]!.flags).toBe(1);
  bench.disks[1]!.completeAll();
  await ended(io);
  expect(io.offset).toBe(CHUNK * 4 + 512);
});

test("an error of a member keeps its code and names the member", async () => {
  const bench = new EngineBench(SHAPES[2]!);
  bench.faults[2]!.addBadRange(ENGINE_DATA_START, 512);
  const io = await bench.run(Op.read, 0, CHUNK * 3, new Uint8Array(CHUNK * 3));
  expect(io.error?.code).toBe("CEV_MEDIUM");
  expect(io.error?.message).toContain("disk2");
  expect(io.transferred).toBe(CHUNK * 2);
  expect(bench.array.members[2]!.isInSync).toBe(true);
});

function filled(length: number, value: number): Uint8Array {
  return new Uint8Array(length).fill(value);
}
