import { Op, openTree } from "@cev/core";
import type { Io } from "@cev/core";
import { Random } from "@cev/test-kit";
import { describe, expect, it } from "vitest";
import { assemble } from "../src/assemble/assemble.ts";
import type { Assembly, Candidate } from "../src/assemble/assemble.ts";
import { Role, decodeSuperblock, encodeSuperblock, ownRole } from "../src/metadata/superblock.ts";
import type { SuperblockVersion } from "../src/metadata/superblock.ts";
import { LayerBench } from "./support/layer-bench.ts";
import type { LayerBenchOptions } from "./support/layer-bench.ts";

const DEVICE_SIZE = 1536 * 1024;
const BLOCK = new Uint8Array(512).fill(1);

async function mirror(
  version: SuperblockVersion,
  spareCount = 0,
  create: Partial<LayerBenchOptions["create"]> = {},
): Promise<LayerBench> {
  const bench = await LayerBench.create({
    create: { level: 1, version, assumeClean: true, ...create },
    memberCount: 3,
    spareCount,
    deviceSize: DEVICE_SIZE,
  });
  await bench.open();
  await bench.idle();
  await bench.write(0, BLOCK);
  return bench;
}

/** An update reached these devices and no other before the power went. */
async function cutUpdate(bench: LayerBench, reached: readonly number[]): Promise<void> {
  const before = bench.disks.map(({ disk }) => disk.bytes.slice());
  await bench.close();
  bench.disks.forEach(({ disk }, number) => {
    if (!reached.includes(number)) disk.bytes.set(before[number]!);
  });
}

/** What each device's superblock may be if the power goes now: it has an update that is under way, or not yet. None: it is blank. */
async function cutsOf(bench: LayerBench): Promise<() => Candidate[][]> {
  const { superOffsetSectors, version } = (await bench.superblockOf(0))!;
  const byteOffset = superOffsetSectors * 512;
  return () => {
    let cuts: Candidate[][] = [[]];
    for (const { name, disk } of bench.disks) {
      const isUpdate = (io: Io): boolean => io.op === Op.write && io.offset === byteOffset;
      const held = [
        disk.bytes.subarray(byteOffset, byteOffset + 4096),
        ...disk.pending.filter(isUpdate).map((io) => paddedTo4096(io)),
      ];
      const place = { source: name, deviceSize: DEVICE_SIZE, version, byteOffset };
      cuts = held.flatMap((bytes) => {
        if (bytes.every((byte) => byte === 0)) return cuts;
        const superblock = decodeSuperblock(bytes, place);
        return cuts.map((cut) => [...cut, { name, superblock }]);
      });
    }
    return cuts;
  };
}

function paddedTo4096({ data, dataOffset, length }: Io): Uint8Array {
  const bytes = new Uint8Array(4096);
  bytes.set(data.subarray(dataOffset, dataOffset + length));
  return bytes;
}

/** What is wrong with any state that a cut could leave from now on, in words; `count`: of those states. */
interface Judged {
  readonly wrong: string[];
  count: number;
}

/** Looks at every state that a cut could leave from now on. `fault`: what is wrong with one, in words; else null. */
async function atEveryCut(
  bench: LayerBench,
  fault: (candidates: Candidate[]) => string | null,
): Promise<Judged> {
  const judged: Judged = { wrong: [], count: 0 };
  const cutsNow = await cutsOf(bench);
  for (const { disk } of bench.disks) {
    const submit = disk.submit.bind(disk);
    disk.submit = (io) => {
      submit(io);
      if (io.op !== Op.write) return;
      for (const cut of cutsNow()) {
        judged.count++;
        const found = fault(cut);
        if (found !== null) judged.wrong.push(found);
      }
    };
  }
  return judged;
}

/** Null: it is certain what belongs together. */
function doubt(candidates: Candidate[]): string | null {
  try {
    assemble(candidates);
    return null;
  } catch (error) {
    return String(error);
  }
}

function expectNoDoubt({ wrong, count }: Judged): void {
  expect(wrong).toEqual([]);
  expect(count).toBeGreaterThan(0);
}

async function assembled(bench: LayerBench): Promise<Assembly<Candidate>> {
  const cutsNow = await cutsOf(bench);
  return assemble(cutsNow()[0]!);
}

describe.each(["1.2", "0.90"] as const)(
  "a member that got an update alone and is away then (%s)",
  (version) => {
    it("comes back as one that is out of date, wherever the updates that followed were cut short", async () => {
      const bench = await mirror(version);
      await cutUpdate(bench, [1]);
      const judged = await atEveryCut(bench, doubt);
      await bench.open({ missing: [1] });
      await bench.write(0, BLOCK);
      expectNoDoubt(judged);
      expect((await assembled(bench)).missing).toEqual([1]);
    });

    it("does so too where another was behind, and nothing is written", async () => {
      const bench = await mirror(version);
      await cutUpdate(bench, [0, 1]);
      const judged = await atEveryCut(bench, doubt);
      await bench.open({ missing: [1] });
      await bench.close();
      expectNoDoubt(judged);
      expect((await assembled(bench)).missing).toEqual([1]);
    });

    it("does so too where a spare takes its place at once", async () => {
      const bench = await mirror(version, 1);
      await cutUpdate(bench, [1]);
      const judged = await atEveryCut(bench, doubt);
      await bench.open({ missing: [1] });
      await bench.idle();
      await bench.close();
      expectNoDoubt(judged);
      expect((await assembled(bench)).members.map((member) => member?.name)).toEqual(["d0", "d3", "d2"]);
    });

    it("does so too where another fails before the first update", async () => {
      const bench = await mirror(version);
      await cutUpdate(bench, [1]);
      const judged = await atEveryCut(bench, doubt);
      await bench.open({ missing: [1] });
      bench.disks[2]!.fault.add({ op: Op.write, fault: { kind: "error", code: "CEV_IO" } });
      await bench.write(0, BLOCK);
      expectNoDoubt(judged);
      expect((await assembled(bench)).missing).toEqual([1, 2]);
    });
  },
);

describe.each(["1.2", "0.90"] as const)("a member that is being rebuilt (%s)", (version) => {
  it("has no update before the members in sync: after a cut it may be away, and know alone who failed, or that it is whole", async () => {
    const bench = await mirror(version, 1);
    let isRebuilt = false;
    const judged = await atEveryCut(bench, (candidates) => {
      const [, first, second, spare] = candidates.map(({ superblock }) => superblock);
      if (isRebuilt || ownRole(spare!) >= Role.special) return null;
      const isAhead = spare!.eventCount > first!.eventCount || spare!.eventCount > second!.eventCount;
      return isAhead ? `it has ${spare!.eventCount} events, they ${first!.eventCount}` : null;
    });
    await bench.drive(bench.layer.failMember(0));
    await bench.idle();
    isRebuilt = true;
    expectNoDoubt(judged);
    expect((await assembled(bench)).missing).toEqual([]);
    await bench.close();
  });
});

describe("a spare that steps in while an update is under way", () => {
  it("is not said to hold what the one before it had been rebuilt to", async () => {
    const bench = await mirror("1.2", 1, { bitmap: "internal", bitmapChunkSize: 64 * 1024 });
    const content = new Random(1).bytes(bench.device.size);
    await bench.write(0, content);
    await bench.drive(bench.layer.failMember(0));
    await bench.idle();
    const { name, fault } = bench.addDisk(DEVICE_SIZE);
    const dataStart = (await bench.superblockOf(1))!.dataOffsetSectors * 512;
    bench.disks[3]!.fault.add({ op: Op.write, fault: { kind: "error", code: "CEV_IO" } });
    const judged = await atEveryCut(bench, (candidates) => {
      const position = (candidates[4]?.superblock.recoverySectors ?? 0) * 512;
      const held = bench.disks[4]!.disk.bytes.subarray(dataStart, dataStart + position);
      const isHeld = Buffer.compare(held, content.subarray(0, position)) === 0;
      return isHeld ? null : `it is said to hold ${position} bytes`;
    });
    await bench.drive(openTree(fault));
    await bench.drive(bench.layer.addMember(fault, name));
    await bench.idle();
    expectNoDoubt(judged);
    expect((await assembled(bench)).members.map((member) => member?.name)).toEqual(["d4", "d1", "d2"]);
    await bench.close();
  });
});

describe("a spare that was to step in, which the members got to know and it did not", () => {
  it("is not called a member by anybody before it has been rebuilt", async () => {
    const bench = await mirror("1.2", 1);
    await bench.close();
    const roles = [Role.faulty, 1, 2, 0];
    for (const number of [1, 2]) {
      const superblock = (await bench.superblockOf(number))!;
      const newer = { ...superblock, roles, eventCount: superblock.eventCount + 1n };
      bench.disks[number]!.disk.bytes.set(encodeSuperblock(newer), superblock.superOffsetSectors * 512);
    }
    const dataStart = (await bench.superblockOf(3))!.dataOffsetSectors * 512;
    const firstOf = (number: number): Uint8Array =>
      bench.disks[number]!.disk.bytes.slice(dataStart, dataStart + BLOCK.length);
    expect(firstOf(3)).not.toEqual(BLOCK);
    const judged = await atEveryCut(bench, (candidates) => {
      const [member] = assemble(candidates).members;
      return member === null || Buffer.compare(firstOf(3), BLOCK) === 0
        ? null
        : `${member!.name} is a member`;
    });
    await bench.open({ missing: [0] });
    await bench.idle();
    await bench.close();
    expectNoDoubt(judged);
    expect((await assembled(bench)).members.map((member) => member?.name)).toEqual(["d3", "d1", "d2"]);
  });
});

describe("members that missed the last update before a crash", () => {
  it("are brought up to the newest before the next, so that two cuts in a row lose none", async () => {
    const bench = await mirror("1.2");
    await cutUpdate(bench, [0]);
    const cutsNow = await cutsOf(bench);
    const events = (): bigint[] => cutsNow()[0]!.map(({ superblock }) => superblock.eventCount);
    const [newest] = events();
    expect(events()).toEqual([newest, newest! - 1n, newest! - 1n]);
    const judged = await atEveryCut(bench, (candidates) => {
      const { missing } = assemble(candidates);
      return missing.length === 0 ? null : `${missing.join(", ")} would be missing`;
    });
    await bench.open();
    await bench.close();
    expect(new Set(events()).size).toBe(1);
    await bench.open();
    await bench.write(0, BLOCK);
    await bench.close();
    expectNoDoubt(judged);
  });
});

describe("members of which one was behind", () => {
  it("leave a device behind that had one update more and was away: what it says of them holds no longer", async () => {
    const bench = await mirror("1.2", 1);
    // The first fails while the spare, which takes its place, gets an update that nobody else got.
    const before = bench.disks.map(({ disk }) => disk.bytes.slice());
    await bench.drive(bench.layer.failMember(0));
    await bench.idle();
    await bench.close();
    const { eventCount } = (await bench.superblockOf(3))!;
    for (const number of [0, 1, 2]) {
      bench.disks[number]!.disk.bytes.set(before[number]!);
      const superblock = (await bench.superblockOf(number))!;
      const behind = { ...superblock, eventCount: eventCount - (number === 0 ? 2n : 1n) };
      bench.disks[number]!.disk.bytes.set(encodeSuperblock(behind), superblock.superOffsetSectors * 512);
    }
    await bench.open({ missing: [3] });
    await bench.close();
    const { members, newest } = await assembled(bench);
    expect(members.map((member) => member?.name)).toEqual(["d0", "d1", "d2"]);
    expect(newest.superblock.eventCount).toBeGreaterThan(eventCount);
  });
});
