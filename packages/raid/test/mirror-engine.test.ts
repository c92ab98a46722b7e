import { Op } from "@cev/core";
import { ModelDevice, Random } from "@cev/test-kit";
import { describe, expect, test } from "vitest";
import { EngineBench, ended } from "./support/engine-bench.ts";
import type { EngineBenchOptions } from "./support/engine-bench.ts";
import { COPIES_SHAPES, layoutNumber, placesOf } from "./support/mirror-reference.ts";
import type { CopiesShape } from "./support/mirror-reference.ts";

const CHUNK = 4096;

interface Mirror {
  readonly name: string;
  readonly shape: CopiesShape | null;
  readonly options: EngineBenchOptions;
}

const MIRRORS: Mirror[] = [2, 3, 4].map((memberCount) => ({
  name: `RAID1 of ${memberCount}`,
  shape: null,
  options: { level: 1, memberSizes: new Array<number>(memberCount).fill(40_960) },
}));
for (let memberCount = 2; memberCount <= 6; memberCount++) {
  for (const shape of COPIES_SHAPES) {
    if (shape.near * shape.far > memberCount) continue;
    MIRRORS.push({
      name: `RAID10 ${shape.name} of ${memberCount}`,
      shape,
      options: {
        level: 10,
        layout: layoutNumber(shape),
        chunkSize: CHUNK,
        memberSizes: new Array<number>(memberCount).fill(CHUNK * 7),
      },
    });
  }
}

/** Every set of members of which at least one copy of each chunk is left when they are gone, the empty one included. */
function survivableLosses({ shape, options }: Mirror): number[][] {
  const { geometry } = new EngineBench(options);
  const chunks = placesOf(geometry, shape);
  const losses: number[][] = [];
  for (let set = 0; set < 2 ** geometry.memberCount; set++) {
    const isLost = (member: number): boolean => ((set >> member) & 1) === 1;
    if (chunks.every((places) => places.some(({ member }) => !isLost(member))))
      losses.push([...new Array(geometry.memberCount).keys()].filter(isLost));
  }
  return losses;
}

/** Compares every copy on every member but `without` with the model, by the slow reference. */
function expectCopies(
  bench: EngineBench,
  mirror: Mirror,
  model: ModelDevice,
  without: readonly number[],
): void {
  const { geometry } = bench;
  const length = geometry.chunkSize === 0 ? geometry.memberSizes[0]! : geometry.chunkSize;
  placesOf(geometry, mirror.shape).forEach((places, chunk) => {
    for (const { member, row } of places) {
      if (without.includes(member)) continue;
      const copy = bench.dataOf(member).subarray(row * length, (row + 1) * length);
      expect(model.firstDifference(chunk * length, copy), `chunk ${chunk} on member ${member}`).toBe(-1);
    }
  });
}

/** So many random requests, one after the other. */
async function work(bench: EngineBench, model: ModelDevice, random: Random, count: number): Promise<void> {
  const { size } = bench.engine;
  for (let round = 0; round < count; round++) {
    const offset = random.below(size / 512) * 512;
    const length = Math.min(random.between(1, random.chance(0.2) ? 64 : 12) * 512, size - offset);
    const op = random.pick([Op.read, Op.read, Op.write, Op.write, Op.write, Op.writeZeroes, Op.discard]);
    if (op === Op.read) {
      expect(model.firstDifference(offset, await bench.read(offset, length))).toBe(-1);
    } else if (op === Op.write) {
      const data = random.bytes(length);
      await bench.write(offset, data);
      model.write(offset, data);
    } else {
      const io = await bench.run(op, offset, length);
      expect(io.error).toBeNull();
      // The members write zeroes by themselves: a discard is one, so that the copies stay equal.
      model.writeZeroes(offset, length);
    }
  }
}

async function rebuild(bench: EngineBench): Promise<void> {
  const { engine, geometry } = bench;
  for (let at = 0; at < geometry.memberSizes[0]!; at += engine.syncStep)
    await engine.recoverSlice(at, Math.min(at + engine.syncStep, geometry.memberSizes[0]!));
}

describe("random work with every set of members missing that can be, and a rebuild", () => {
  test.each(MIRRORS)("$name", async (mirror) => {
    for (const [seed, missing] of survivableLosses(mirror).entries()) {
      const random = new Random(seed);
      const completion = seed % 2 === 0 ? "atOnce" : "random";
      const bench = new EngineBench({ ...mirror.options, missing, completion, seed });
      const model = new ModelDevice(bench.engine.size, true);
      await work(bench, model, random, 10);
      expectCopies(bench, mirror, model, missing);
      if (missing.length === 0) continue;
      // The same members again; those that were missing come back with something else on them.
      const rebuilt = new EngineBench({
        ...mirror.options,
        completion,
        seed,
        contents: (member) =>
          missing.includes(member) ? random.bytes(CHUNK * 7) : bench.dataOf(member).slice(),
        recoveredTo: bench.array.members.map((member) => (missing.includes(member.index) ? 0 : null)),
      });
      const rebuilding = rebuild(rebuilt);
      await work(rebuilt, model, random, 6);
      await rebuilding;
      for (const member of missing) rebuilt.array.members[member]!.recovered();
      await work(rebuilt, model, random, 2);
      expectCopies(rebuilt, mirror, model, []);
      expect(rebuilt.keeper.endedCount).toBe(rebuilt.keeper.startedCount);
      expect(rebuilt.environment.buffers.bytesLent).toBe(0);
    }
  });
});

describe("bad spots on every member, but never on all copies of a piece, are read around and repaired", () => {
  test.each(MIRRORS)("$name", async (mirror) => {
    const random = new Random(3);
    const bench = new EngineBench({ ...mirror.options, completion: "random" });
    const { size } = bench.engine;
    const model = new ModelDevice(size, true);
    const data = random.bytes(size);
    await bench.write(0, data);
    model.write(0, data);
    const { geometry } = bench;
    const length = geometry.chunkSize === 0 ? geometry.memberSizes[0]! : geometry.chunkSize;
    placesOf(geometry, mirror.shape).forEach((places) => {
      for (let at = 0; at < length; at += 4096) {
        const [, ...bad] = random.shuffled(places);
        for (const { member, row } of bad) {
          if (random.chance(0.4))
            bench.faults[member]!.addBadRange(8192 + row * length + at + random.below(8) * 512, 512);
        }
      }
    });
    for (let round = 0; round < 6; round++) await work(bench, model, random, 4);
    expect(model.firstDifference(0, await bench.read(0, size))).toBe(-1);
    expect(await bench.engine.syncSlice(0, size, "check")).toBe(0);
    expect(bench.array.lostCount).toBe(0);
    expectCopies(bench, mirror, model, []);
    // Whatever was bad has been written.
    for (const fault of bench.faults) fault.faultCount = 0;
    await bench.engine.syncSlice(0, size, "check");
    expect(bench.faults.map((fault) => fault.faultCount)).toEqual(bench.faults.map(() => 0));
    expect(bench.environment.buffers.bytesLent).toBe(0);
  });
});

describe("a member is lost while requests are under way, and none of them fails", () => {
  test.each(MIRRORS)("$name", async (mirror) => {
    for (let lost = 0; lost < mirror.options.memberSizes.length; lost++) {
      const random = new Random(lost);
      const bench = new EngineBench({ ...mirror.options, completion: "random", seed: lost });
      const model = new ModelDevice(bench.engine.size, true);
      const before = await Promise.all([
        work(bench, model, random, 2),
        Promise.resolve().then(() => bench.faults[lost]!.lose()),
      ]);
      expect(before).toHaveLength(2);
      await work(bench, model, random, 10);
      await bench.read(0, bench.engine.size);
      expect(bench.array.members[lost]!.state).toBe("failed");
      expect(bench.keeper.failures).toEqual([`disk${lost}`]);
      expectCopies(bench, mirror, model, [lost]);
    }
  });
});

describe("writes that overlap leave all copies the same, whichever comes last", () => {
  test.each(MIRRORS)("$name", async (mirror) => {
    for (let seed = 1; seed <= 3; seed++) {
      const random = new Random(seed);
      const bench = new EngineBench({ ...mirror.options, completion: "random", seed });
      const { size } = bench.engine;
      const allowed = new Map<number, Set<number>>();
      const ios = Array.from({ length: 40 }, (_, index) => {
        const offset = random.below(Math.min(size, 32_768) / 512) * 512;
        const length = Math.min(random.between(1, 24) * 512, size - offset);
        const value = seed === 3 && index % 5 === 0 ? 0 : index + 1;
        for (let at = offset; at < offset + length; at += 512) {
          if (!allowed.has(at)) allowed.set(at, new Set());
          allowed.get(at)!.add(value);
        }
        if (value === 0) return bench.submit(Op.discard, offset, length);
        return bench.submit(Op.write, offset, length, new Uint8Array(length).fill(value));
      });
      for (const io of ios) {
        await ended(io);
        expect(io.error).toBeNull();
      }
      const model = new ModelDevice(size, true);
      const contents = await bench.read(0, size);
      model.learn(0, contents);
      expectCopies(bench, mirror, model, []);
      for (const [at, values] of allowed) {
        const sector = new Set(contents.subarray(at, at + 512));
        expect(sector.size).toBe(1);
        expect([...values]).toContain([...sector][0]);
      }
    }
  });
});

describe("many at once, in each other's pages, while bad spots come up, one member is rebuilt and then lost", () => {
  const threeCopies = MIRRORS.filter(
    ({ name, shape }) => name === "RAID1 of 3" || (shape !== null && shape.near * shape.far === 3),
  );
  test.each(threeCopies)("$name", async (mirror) => {
    for (let seed = 1; seed <= 3; seed++) {
      const random = new Random(seed);
      const { memberSizes } = mirror.options;
      const bench = new EngineBench({
        ...mirror.options,
        completion: "random",
        seed,
        recoveredTo: memberSizes.map((_, member) => (member === 2 ? 0 : null)),
        contents: (member) =>
          member === 2 ? random.bytes(memberSizes[2]!) : new Uint8Array(memberSizes[0]!),
      });
      const model = new ModelDevice(bench.engine.size, true);
      // A spot that comes up again just after it was written back makes the first member fail.
      const failed = (): number[] =>
        bench.array.members.filter(({ state }) => state === "failed").map(({ index }) => index);
      const sectorCount = bench.engine.size / 512;
      // Each has every seventh sector to itself.
      const worker = async (place: number): Promise<void> => {
        for (let count = 0; count < 25; count++) {
          const offset = (random.below(Math.floor((sectorCount - place) / 7)) * 7 + place) * 512;
          if (random.chance(0.5)) {
            const data = random.bytes(512);
            await bench.write(offset, data);
            model.write(offset, data);
          } else {
            expect(model.firstDifference(offset, await bench.read(offset, 512))).toBe(-1);
          }
          if (random.chance(0.1))
            bench.faults[0]!.addBadRange(8192 + random.below(memberSizes[0]! / 512) * 512, 512);
        }
      };
      const rebuilding = rebuild(bench);
      await Promise.all(Array.from({ length: 7 }, (_, place) => worker(place)));
      await rebuilding;
      expectCopies(bench, mirror, model, failed());
      bench.array.members[2]!.recovered();
      const losing = Promise.all(Array.from({ length: 7 }, (_, place) => worker(place)));
      bench.faults[2]!.lose();
      await losing;
      expect(model.firstDifference(0, await bench.read(0, bench.engine.size))).toBe(-1);
      expect(failed()).toContain(2);
      expectCopies(bench, mirror, model, failed());
      expect(bench.environment.buffers.bytesLent).toBe(0);
      expect(bench.keeper.endedCount).toBe(bench.keeper.startedCount);
    }
  });
});
