import { BufferPool, Op } from "@cev/core";
import { ModelDevice, Random } from "@cev/test-kit";
import { describe, expect, test } from "vitest";
import { RAID5_LAYOUTS } from "../src/levels/raid5.ts";
import { RAID6_LAYOUTS } from "../src/levels/raid6.ts";
import { EngineBench } from "./support/engine-bench.ts";
import type { EngineBenchOptions } from "./support/engine-bench.ts";
import { mapOf, rebuild, setsOf, wrongParity } from "./support/parity-reference.ts";

const CHUNK = 8192;
const MEMBER_SIZE = CHUNK * 3;
const BLOCK = 512;

interface Case {
  readonly name: string;
  readonly parityCount: number;
  readonly options: EngineBenchOptions;
}

function makeCase(level: number, layout: number, name: string, memberCount: number): Case {
  return {
    name: `RAID${level} ${name} of ${memberCount}`,
    parityCount: level === 6 ? 2 : 1,
    options: {
      level,
      layout,
      chunkSize: CHUNK,
      memberSizes: new Array<number>(memberCount).fill(MEMBER_SIZE),
    },
  };
}

const CASES: readonly Case[] = [
  ...[2, 3, 5].map((memberCount) => makeCase(4, 0, "", memberCount)),
  ...RAID5_LAYOUTS.map(({ number, name }, index) => makeCase(5, number, name, 2 + (index % 4))),
  ...RAID6_LAYOUTS.map(({ number, name }, index) => makeCase(6, number, name, 4 + (index % 3))),
];

/** Several requests at once, which do not overlap. */
async function burst(bench: EngineBench, model: ModelDevice, random: Random): Promise<void> {
  const { size } = bench.engine;
  const taken: { offset: number; end: number }[] = [];
  const work: Promise<void>[] = [];
  let offset = BLOCK * random.below(size / BLOCK);
  for (let count = 0; count < 6; count++) {
    // Neighbours often, so that they are gathered.
    if (random.chance(0.4)) offset = BLOCK * random.below(size / BLOCK);
    const length = Math.min(BLOCK * random.between(1, random.chance(0.3) ? 64 : 12), size - offset);
    const start = offset;
    const end = start + length;
    offset = end % size;
    if (length === 0 || taken.some((other) => start < other.end && other.offset < end)) continue;
    taken.push({ offset: start, end });
    if (random.chance(0.2)) {
      const isDiscard = random.chance(0.4);
      // Of a discard whole stripes become zeroes, and nothing else is touched.
      const { ioLengthPreferred: stripe } = bench.engine;
      const from = isDiscard ? Math.ceil(start / stripe) * stripe : start;
      const to = isDiscard ? Math.floor(end / stripe) * stripe : end;
      if (from < to) model.write(from, new Uint8Array(to - from));
      work.push(bench.zero(isDiscard ? Op.discard : Op.writeZeroes, start, length));
    } else if (random.chance(0.75)) {
      const data = random.bytes(length);
      model.write(start, data);
      work.push(bench.write(start, data));
    } else {
      work.push(
        bench.read(start, length).then((data) => {
          expect(model.firstDifference(start, data)).toBe(-1);
        }),
      );
    }
  }
  await Promise.all(work);
}

async function expectAll(bench: EngineBench, model: ModelDevice): Promise<void> {
  expect(model.firstDifference(0, await bench.read(0, bench.engine.size))).toBe(-1);
}

describe("random work with every set of members missing that can be, and a rebuild in the middle of more work", () => {
  test.each(CASES)("$name", async ({ options, parityCount }) => {
    const memberCount = options.memberSizes.length;
    for (const [seed, missing] of setsOf(memberCount, parityCount).entries()) {
      const random = new Random(seed);
      const completion = seed % 3 === 0 ? "atOnce" : "random";
      const bench = new EngineBench({ ...options, missing, completion, seed });
      const model = new ModelDevice(bench.engine.size, true);
      for (let round = 0; round < 4; round++) await burst(bench, model, random);
      await expectAll(bench, model);
      expect(wrongParity(bench.geometry, (member) => bench.dataOf(member), missing)).toEqual([]);
      // The same members again; those that were missing come back with something else on them.
      const rebuilt = new EngineBench({
        ...options,
        completion,
        seed,
        contents: (member) =>
          missing.includes(member) ? random.bytes(MEMBER_SIZE) : bench.dataOf(member).slice(),
        recoveredTo: bench.array.members.map((member) => (missing.includes(member.index) ? 0 : null)),
      });
      const rebuilding = rebuild(rebuilt);
      for (let round = 0; round < 3; round++) await burst(rebuilt, model, random);
      await rebuilding;
      await expectAll(rebuilt, model);
      expect(wrongParity(rebuilt.geometry, (member) => rebuilt.dataOf(member))).toEqual([]);
      expect(rebuilt.keeper.failures).toEqual([]);
      expect(rebuilt.keeper.startedCount).toBe(rebuilt.keeper.endedCount);
      expect(rebuilt.environment.buffers.bytesLent).toBe(0);
    }
  });
});

describe("random work while members cannot read some places, and one is lost in the middle", () => {
  test.each(CASES)("$name", async ({ options, parityCount }) => {
    for (let seed = 0; seed < 6; seed++) {
      const random = new Random(seed);
      const bench = new EngineBench({ ...options, completion: "random", seed });
      const model = new ModelDevice(bench.engine.size, true);
      const victim = random.below(options.memberSizes.length);
      for (let round = 0; round < 6; round++) {
        // As many bad places in each page as there is parity; after the loss one fewer.
        const countMax = round < 3 ? parityCount : parityCount - 1;
        for (let at = 0; at < MEMBER_SIZE; at += 4096) {
          for (const fault of random.shuffled([...bench.faults.keys()]).slice(0, countMax)) {
            if (fault === victim && round >= 3) continue;
            if (random.chance(0.3))
              bench.faults[fault]!.addBadRange(8192 + at + BLOCK * random.below(8), BLOCK);
          }
        }
        await burst(bench, model, random);
        await expectAll(bench, model);
        // All of it was read or written, so that the bad places are gone, but not those of parity.
        for (const fault of bench.faults) fault.reset();
        if (round === 2) bench.faults[victim]!.add({ fault: { kind: "error", code: "CEV_DEVICE_LOST" } });
        if (round >= 2) bench.faults[victim]!.lose();
      }
      const failed = bench.array.members.filter(({ isInSync }) => !isInSync).map(({ index }) => index);
      expect(failed).toEqual([victim]);
      expect(wrongParity(bench.geometry, (member) => bench.dataOf(member), failed)).toEqual([]);
      expect(bench.environment.buffers.bytesLent).toBe(0);
    }
  });
});

describe("random work while as many members as there is parity fail one after the other, in any way", () => {
  test.each(CASES)("$name", async ({ options, parityCount }) => {
    for (let seed = 0; seed < 5; seed++) {
      const random = new Random(seed);
      const bench = new EngineBench({ ...options, completion: "random", seed });
      const model = new ModelDevice(bench.engine.size, true);
      const victims = random.shuffled([...bench.faults.keys()]).slice(0, parityCount);
      for (const victim of victims) {
        bench.faults[victim]!.add({
          fault: {
            kind: random.pick(["error", "errorAfter", "half"] as const),
            code: random.pick(["CEV_IO", "CEV_MEDIUM", "CEV_DEVICE_LOST"] as const),
          },
          accepts: ({ op }) => op === Op.write || op === Op.writeZeroes,
          skipCount: random.below(30),
        });
      }
      for (let round = 0; round < 8; round++) await burst(bench, model, random);
      await expectAll(bench, model);
      const failed = bench.array.members.filter(({ isInSync }) => !isInSync).map(({ index }) => index);
      expect(victims).toEqual(expect.arrayContaining(failed));
      expect(wrongParity(bench.geometry, (member) => bench.dataOf(member), failed)).toEqual([]);
      expect(bench.keeper.startedCount).toBe(bench.keeper.endedCount);
      expect(bench.environment.buffers.bytesLent).toBe(0);
    }
  });
});

describe("a check", () => {
  test.each(CASES)(
    "of $name counts the pages that differ, and a repair makes them right",
    async ({ options }) => {
      const random = new Random(3);
      const bench = new EngineBench({ ...options, completion: "random" });
      const model = new ModelDevice(bench.engine.size, true);
      const data = random.bytes(bench.engine.size);
      await bench.write(0, data);
      model.write(0, data);
      const pass = async (way: "check" | "repair"): Promise<number> => {
        let count = 0;
        for (let at = 0; at < MEMBER_SIZE; at += bench.engine.syncStep)
          count += await bench.engine.syncSlice(at, Math.min(at + bench.engine.syncStep, MEMBER_SIZE), way);
        return count;
      };
      bench.forget();
      expect(await pass("check")).toBe(0);
      // P of the first stripe, in one page; the last parity of the last stripe, in both.
      const map = mapOf(bench.geometry);
      const first = bench.dataOf(map.parityMember(0));
      const last = bench.dataOf(map.parityCount === 2 ? map.qMember(2) : map.parityMember(2));
      first[17]! ^= 1;
      last[2 * CHUNK + 4095]! ^= 1;
      last[2 * CHUNK + 4096]! ^= 0x80;
      expect(await pass("check")).toBe(3 * 4096);
      expect(bench.countsOf(Op.write).reduce((sum, count) => sum + count, 0)).toBe(0);
      expect(await pass("repair")).toBe(3 * 4096);
      expect(wrongParity(bench.geometry, (member) => bench.dataOf(member))).toEqual([]);
      expect(await pass("check")).toBe(0);
      await expectAll(bench, model);
    },
  );
});

describe("random work in memory that is hardly enough, so that every request waits for it", () => {
  test.each(CASES.filter((_, index) => index % 3 === 0))("$name", async ({ options }) => {
    const count = options.memberSizes.length;
    const buffers = new BufferPool({ bytesMax: 4096 * 2 ** Math.ceil(Math.log2(count)) + 4095 });
    for (const missing of [[], [0], [count - 1]]) {
      const random = new Random(count);
      const bench = new EngineBench({ ...options, missing, completion: "random", buffers });
      const model = new ModelDevice(bench.engine.size, true);
      for (let round = 0; round < 6; round++) await burst(bench, model, random);
      await expectAll(bench, model);
      expect(wrongParity(bench.geometry, (member) => bench.dataOf(member), missing)).toEqual([]);
      expect(buffers.bytesLent).toBe(0);
    }
  });
});
