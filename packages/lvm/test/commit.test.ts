import { CevError, MetadataError } from "@cev/core";
import { fc, test } from "@fast-check/vitest";
import { describe, expect } from "vitest";
import { assembleGroups } from "../src/assemble/assemble.ts";
import { planCommit } from "../src/disk/commit-plan.ts";
import { commitText } from "../src/disk/commit.ts";
import type { CommitDevice } from "../src/disk/commit.ts";
import { decodeMdaHeader, encodeMdaHeader } from "../src/disk/mda.ts";
import { clearedArea } from "../src/disk/pv-layout.ts";
import { nextTextOffset, textSizeMax } from "../src/disk/ring.ts";
import { TextCache, scanPhysicalVolume } from "../src/disk/scan.ts";
import type { PvScan } from "../src/disk/scan.ts";
import { A, B, C, base } from "./support/base-recipe.ts";
import { DiskLog, LoggedDevice, sourceOf } from "./support/disk-log.ts";
import { AREA_SIZE, groupText, makePv } from "./support/group-image.ts";
import type { GroupRecipe, PvRecipe } from "./support/group-image.ts";
import { ImageLayer } from "./support/image-layer.ts";

/** A text of the base group with this number, made longer by tags. */
function textOf(seqno: number, padding = 0, more: Partial<GroupRecipe> = {}): string {
  const tags = padding === 0 ? "" : `tags = ["${"x".repeat(padding)}"]`;
  return groupText({ ...base, seqno, more: tags, ...more });
}

/** Two physical volumes, the first of them with two areas, and what is to come of them. */
class Bench {
  readonly log = new DiskLog();
  readonly devices: readonly LoggedDevice[];

  constructor(recipes: readonly PvRecipe[]) {
    this.devices = recipes.map((recipe) => new LoggedDevice(makePv(recipe), this.log));
  }

  static twoVolumes(text: string): Bench {
    return new Bench([
      { name: "d0", uuid: A, texts: [{ text }, { text, offset: 3000 }] },
      { name: "d1", uuid: B, texts: [{ text, offset: 7680 }] },
    ]);
  }

  async scan(): Promise<PvScan[]> {
    return await scanImages(this.devices.map(({ image }) => image));
  }

  async commit(text: string, isRepairing = false): Promise<number> {
    const plan = planCommit({ scans: await this.scan(), text, isRepairing });
    return (await commitText(plan, { deviceOf: (scan) => this.deviceOf(scan) })).length;
  }

  deviceOf({ source }: PvScan): LoggedDevice {
    return this.devices.find(({ image }) => image.name === source.name)!;
  }

  async seqnos(): Promise<(number | null)[]> {
    return (await this.scan()).flatMap(({ areas }) => areas.map(({ copy }) => copy?.identity.seqno ?? null));
  }
}

async function scanImages(images: readonly ImageLayer[]): Promise<PvScan[]> {
  const texts = new TextCache();
  const scans: PvScan[] = [];
  for (const image of images) scans.push((await scanPhysicalVolume(sourceOf(image), texts))!);
  return scans;
}

test("a new text is in force in every area, and the one before it is whole behind it", async () => {
  const bench = Bench.twoVolumes(textOf(1));
  const before = await bench.scan();
  expect(await bench.commit(textOf(2))).toBe(0);
  expect(await bench.seqnos()).toEqual([2, 2, 2]);
  for (const [index, scan] of (await bench.scan()).entries()) {
    expect(scan.areas.every(({ error, header }) => error === null && header!.precommitted === null)).toBe(
      true,
    );
    const image = bench.devices[index]!.image;
    for (const { copy } of before[index]!.areas) {
      const parts = copy!.ranges.map(({ offset, length }) => image.bytes.slice(offset, offset + length));
      expect(Buffer.concat(parts).toString("latin1")).toBe(`${textOf(1)}\0`);
    }
  }
});

test("the text goes behind the committed one on a sector, and to the start where less than a sector is left", () => {
  const size = 10_240;
  const after = (offset: number, length: number): number =>
    nextTextOffset({
      start: 4096,
      size,
      committed: { offset, size: length, checksum: 0, flags: 0 },
      precommitted: null,
    });
  expect(nextTextOffset({ start: 4096, size, committed: null, precommitted: null })).toBe(512);
  expect(after(512, 512)).toBe(1024);
  expect(after(512, 513)).toBe(1536);
  expect(after(9216, 512)).toBe(9728);
  expect(after(9216, 513)).toBe(512);
  expect(after(9216, 1024)).toBe(512);
  expect(after(9216, 1025)).toBe(1024);
  expect(textSizeMax({ size })).toBe(4352);
});

test.prop([fc.array(fc.nat(1200), { minLength: 150, maxLength: 150 })], { numRuns: 3 })(
  "each of many texts of any length is in force after its commit, though the ring wraps often",
  async (paddings) => {
    const bench = Bench.twoVolumes(textOf(1));
    let seqno = 1;
    for (const padding of paddings) {
      seqno++;
      const text = textOf(seqno, padding);
      await bench.commit(text);
      const scans = await bench.scan();
      const copies = scans.flatMap(({ areas }) => areas.map(({ copy }) => copy?.identity.text));
      expect(copies).toEqual([text, text, text]);
      const problems: unknown[] = [];
      expect(assembleGroups(scans, (problem) => problems.push(problem))[0]!.group.seqno).toBe(seqno);
      expect(problems).toEqual([]);
    }
  },
);

describe("a power cut", () => {
  /** Every image that a cut may leave: rounds that are done, and any of the writes of the one under way. */
  function* cutsOf(bench: Bench, before: readonly Uint8Array[]): Generator<ImageLayer[]> {
    const images = before.map((bytes) => bytes.slice());
    const apply = ({ device, offset, bytes }: (typeof bench.log.rounds)[0][0]): void =>
      images[bench.devices.indexOf(device)]!.set(bytes, offset);
    for (const round of bench.log.rounds) {
      for (let chosen = 0; chosen < 1 << round.length; chosen++) {
        const saved = images.map((bytes) => bytes.slice());
        round.forEach((write, index) => {
          if ((chosen & (1 << index)) !== 0) apply(write);
        });
        yield images.map((bytes, index) => new ImageLayer(bench.devices[index]!.image.name, bytes.slice()));
        images.forEach((bytes, index) => bytes.set(saved[index]!));
      }
      for (const write of round) apply(write);
    }
  }

  test("at any write, in any order within a round, leaves the old group or the new one", async () => {
    const bench = Bench.twoVolumes(textOf(1, 700));
    await bench.commit(textOf(2, 300));
    for (let seqno = 3; seqno < 7; seqno++) {
      const before = bench.devices.map(({ image }) => image.bytes.slice());
      bench.log.clear();
      await bench.commit(textOf(seqno, 1800));
      expect(bench.log.rounds.map((round) => round.length > 0)).toEqual([true, true, true, false]);
      let newCount = 0;
      for (const images of cutsOf(bench, before)) {
        const scans = await scanImages(images);
        for (const { areas } of scans) for (const { error } of areas) expect(error).toBeNull();
        const { group, copy } = assembleGroups(scans, () => {})[0]!;
        expect([textOf(seqno - 1, seqno === 3 ? 300 : 1800), textOf(seqno, 1800)]).toContain(
          copy.identity.text,
        );
        if (group.seqno === seqno) newCount++;
      }
      // All of the last round but its empty subset, and what comes after it.
      expect(newCount).toBe(2 ** 3 - 1 + 1);
    }
  });
});

describe("an area", () => {
  test("that is too small is named with both sizes, and nothing is written", async () => {
    const bench = Bench.twoVolumes(textOf(1));
    const text = textOf(2, 4000);
    await expect(bench.commit(text)).rejects.toMatchObject({
      code: "CEV_NO_SPACE",
      message: `the metadata have ${text.length + 1} bytes, and metadata area 0 of d0 of ${AREA_SIZE} bytes takes 3328 at most`,
      place: { source: "d0", structure: "LVM2 metadata area 0" },
    });
    expect(bench.log.rounds).toEqual([[]]);
  });

  test("whose text in force leaves no room beside it is named, and nothing is written", async () => {
    // Older programs took longer texts.
    const bench = new Bench([
      { name: "d0", uuid: A, texts: [{ text: textOf(1, 4600) }] },
      { name: "d1", uuid: B, texts: [] },
    ]);
    await expect(bench.commit(textOf(2, 1500))).rejects.toMatchObject({
      code: "CEV_NO_SPACE",
      message: expect.stringMatching(/no such room beside the \d+ bytes in force/) as unknown,
    });
    expect(bench.log.rounds).toEqual([[]]);
  });

  test("out of date is brought up, one that is not in use is left alone", async () => {
    const bench = new Bench([
      { name: "d0", uuid: A, texts: [{ text: textOf(3) }, { text: textOf(9), flags: 1 }] },
      { name: "d1", uuid: B, texts: [{ text: textOf(1) }, null] },
    ]);
    await bench.commit(textOf(4));
    expect(await bench.seqnos()).toEqual([4, null, 4, 4]);
    const ignored = bench.devices[0]!.image.bytes.subarray(4096 + AREA_SIZE, 4096 + AREA_SIZE + 512);
    const place = { source: "d0", structure: "", byteOffset: 4096 + AREA_SIZE };
    expect(decodeMdaHeader(ignored, place).committed).toMatchObject({ offset: 512, flags: 1 });
  });

  test("that was never in use is left alone, too", async () => {
    const bench = new Bench([
      { name: "d0", uuid: A, texts: [{ text: textOf(1) }, null] },
      { name: "d1", uuid: B, texts: [] },
    ]);
    const { offset, bytes } = clearedArea({ offset: 4096 + AREA_SIZE, size: AREA_SIZE }, true);
    bench.devices[0]!.image.bytes.set(bytes, offset);
    await bench.commit(textOf(2));
    expect(await bench.seqnos()).toEqual([2, null]);
    expect(bench.devices[0]!.image.bytes.slice(offset, offset + 512)).toEqual(bytes);
  });

  test.each([
    ["header", 4096 + 20],
    ["text", 4096 + 600],
  ])("with a damaged %s is left alone, and made anew when that is asked for", async (_, at) => {
    const bench = Bench.twoVolumes(textOf(1));
    bench.devices[0]!.image.bytes[at]! ^= 1;
    const plan = planCommit({ scans: await bench.scan(), text: textOf(2) });
    expect(plan.skipped).toMatchObject([{ reason: "damaged", area: { index: 0 } }]);
    const before = bench.devices[0]!.image.bytes.slice(4096, 4096 + AREA_SIZE);
    await bench.commit(textOf(2));
    expect(bench.devices[0]!.image.bytes.slice(4096, 4096 + AREA_SIZE)).toEqual(before);
    expect(await bench.seqnos()).toEqual([null, 2, 2]);
    await bench.commit(textOf(3), true);
    expect(await bench.seqnos()).toEqual([3, 3, 3]);
  });

  test("that a device has lost the end of is beyond repair, and does not keep the others from it", async () => {
    const bench = Bench.twoVolumes(textOf(1));
    const whole = await bench.scan();
    const short = whole.map((scan, index) =>
      index === 0 ? { ...scan, source: { ...scan.source, size: 15_000 } } : scan,
    );
    const damaged = short.map((scan) => ({
      ...scan,
      areas: scan.areas.map((area) => ({
        ...area,
        copy: null,
        error: new MetadataError("damaged", { structure: "area" }),
      })),
    }));
    const plan = planCommit({ scans: damaged, text: textOf(2), isRepairing: true });
    expect(plan.skipped).toMatchObject([{ reason: "damaged", area: { index: 1 } }]);
    expect(plan.areas.map(({ scan, area }) => [scan.source.name, area.index])).toEqual([
      ["d0", 0],
      ["d1", 0],
    ]);
  });

  test("of another group, and a text that is not newer, are refused", async () => {
    const bench = Bench.twoVolumes(textOf(5));
    for (const seqno of [4, 5])
      await expect(bench.commit(textOf(seqno))).rejects.toMatchObject({
        code: "CEV_INVALID",
        message: expect.stringMatching(/not newer/) as unknown,
      });
    const other = groupText({ ...base, uuid: C, seqno: 6 });
    await expect(bench.commit(other)).rejects.toMatchObject({
      code: "CEV_INVALID",
      message: expect.stringMatching(/carries the metadata of vg0/) as unknown,
    });
    expect(bench.log.rounds).toEqual([[]]);
  });

  test.each([
    ["the extents", { size: 65_536 - 4096 + 512 }],
    ["metadata area 0", { size: AREA_SIZE + 512 }],
  ])("that reaches over %s is never written to", async (what, { size }) => {
    const bench = Bench.twoVolumes(textOf(1));
    const { bytes } = bench.devices[0]!.image;
    const place = { source: "d0", structure: "", byteOffset: 4096 };
    const header = decodeMdaHeader(bytes.subarray(4096, 4608), place);
    bytes.set(encodeMdaHeader({ ...header, size }), 4096);
    await expect(bench.commit(textOf(2))).rejects.toMatchObject({
      code: "CEV_BAD_METADATA",
      message: `the area reaches over ${what} of the physical volume`,
      place: { source: "d0" },
    });
    expect(bench.log.rounds).toEqual([[]]);
  });

  test("that changed since the scan stops the commit before anything is written", async () => {
    const bench = Bench.twoVolumes(textOf(1));
    const plan = planCommit({ scans: await bench.scan(), text: textOf(2) });
    await bench.commit(textOf(2, 10));
    bench.log.clear();
    await expect(commitText(plan, { deviceOf: (scan) => bench.deviceOf(scan) })).rejects.toMatchObject({
      code: "CEV_BUSY",
    });
    expect(bench.log.rounds).toEqual([[]]);
  });

  test("that changed since the scan is told of when no other is being read any more", async () => {
    const bench = Bench.twoVolumes(textOf(1));
    const plan = planCommit({ scans: await bench.scan(), text: textOf(2) });
    await bench.commit(textOf(2, 10));
    let readingCount = 0;
    const deviceOf = (scan: PvScan): CommitDevice => {
      const device = bench.deviceOf(scan);
      return {
        async read(offset, length) {
          readingCount++;
          if (device !== bench.devices[0]) await new Promise((resolve) => setTimeout(resolve, 1));
          readingCount--;
          return device.read(offset, length);
        },
        write: (offset, bytes) => device.write(offset, bytes),
        flush: () => device.flush(),
      };
    };
    await expect(commitText(plan, { deviceOf })).rejects.toMatchObject({ code: "CEV_BUSY" });
    expect(readingCount).toBe(0);
  });
});

test("a group without an area to write to is refused", async () => {
  const bench = new Bench([{ name: "d0", uuid: A, texts: [{ text: textOf(1), flags: 1 }] }]);
  await expect(bench.commit(textOf(2, 0, { pvs: [A], volumes: {} }))).rejects.toMatchObject({
    code: "CEV_DEGRADED",
  });
});

test("physical volumes that the new text does not list are left alone", async () => {
  const bench = Bench.twoVolumes(textOf(1, 0, { volumes: {} }));
  await bench.commit(textOf(2, 0, { pvs: [A], volumes: {} }));
  expect(await bench.seqnos()).toEqual([2, 2, 1]);
});

describe("a write that fails", () => {
  const headers = [4096, 4096 + AREA_SIZE];

  test.each([
    ["of a text", (offset: number) => !headers.includes(offset) && offset < 65_536],
    ["of a precommitted header", (offset: number) => offset === 4096 + AREA_SIZE],
  ])("%s leaves the old text in force everywhere, and no precommitted one", async (_, fails) => {
    const bench = Bench.twoVolumes(textOf(1));
    let failCount = 1;
    bench.devices[0]!.failWrite = (offset) => fails(offset) && failCount-- > 0;
    await expect(bench.commit(textOf(2))).rejects.toThrow(/failed/);
    expect(await bench.seqnos()).toEqual([1, 1, 1]);
    for (const { areas } of await bench.scan())
      for (const { header } of areas) expect(header!.precommitted).toBeNull();
  });

  test("of a committed header leaves that area out of date, and says so", async () => {
    const bench = Bench.twoVolumes(textOf(1));
    let count = 0;
    bench.devices[1]!.failWrite = (offset) => offset === 4096 && ++count === 2;
    expect(await bench.commit(textOf(2))).toBe(1);
    expect(await bench.seqnos()).toEqual([2, 2, 1]);
    expect(await bench.commit(textOf(3))).toBe(0);
    expect(await bench.seqnos()).toEqual([3, 3, 3]);
  });

  test("of every committed header is told as what it is", async () => {
    const bench = Bench.twoVolumes(textOf(1));
    for (const device of bench.devices) {
      const counts = new Map<number, number>();
      device.failWrite = (offset) => {
        const count = (counts.get(offset) ?? 0) + 1;
        counts.set(offset, count);
        return headers.includes(offset) && count === 2;
      };
    }
    await expect(bench.commit(textOf(2))).rejects.toMatchObject({
      code: "CEV_IO",
      message: expect.stringMatching(/is not known: the write at \d+ failed/) as unknown,
    });
  });
});

test("an abort before the last round leaves everything as it was", async () => {
  const bench = Bench.twoVolumes(textOf(1));
  const abort = new AbortController();
  const plan = planCommit({ scans: await bench.scan(), text: textOf(2) });
  bench.devices[1]!.failWrite = (offset) => {
    if (offset === 4096) abort.abort();
    return false;
  };
  const commit = commitText(plan, { deviceOf: (scan) => bench.deviceOf(scan), signal: abort.signal });
  await expect(commit).rejects.toBeInstanceOf(CevError);
  await expect(commit).rejects.toMatchObject({ code: "CEV_CANCELLED" });
  expect(await bench.seqnos()).toEqual([1, 1, 1]);
});
