import { CevError, Op, environmentFrom } from "@cev/core";
import { Random } from "@cev/test-kit";
import { describe, expect, it } from "vitest";
import { createArray } from "../src/metadata/create-array.ts";
import type { CreateOptions } from "../src/metadata/create-options.ts";
import { checksumOf } from "../src/metadata/superblock-bytes.ts";
import { FeatureFlag } from "../src/metadata/superblock-features.ts";
import { decodeSuperblock, encodeSuperblock } from "../src/metadata/superblock.ts";
import type { Superblock } from "../src/metadata/superblock.ts";
import { superblockOffset } from "../src/metadata/member-scan.ts";
import { MemoryLayer } from "./support/memory-layer.ts";
import { openAny } from "./support/open-array.ts";
import type { OpenArrayOptions } from "./support/open-array.ts";

const environment = environmentFrom(globalThis);
const MIB = 1024 * 1024;

/** A new array on disks in memory. */
async function newArray(
  options: Omit<CreateOptions, "members" | "spares">,
  sizes: readonly number[],
  spareCount = 0,
): Promise<MemoryLayer[]> {
  const disks = sizes.map((size, index) => new MemoryLayer(`disk${index}`, new Uint8Array(size)));
  const named = disks.map((layer) => ({ name: layer.name, layer }));
  const memberCount = sizes.length - spareCount;
  const chunk = options.level === 1 || options.chunkSize !== undefined ? {} : { chunkSize: 65_536 };
  await createArray({
    environment,
    assumeClean: true,
    ...chunk,
    ...options,
    members: named.slice(0, memberCount),
    spares: named.slice(memberCount),
  });
  for (const disk of disks) disk.log.length = 0;
  return disks;
}

/** Changes a member's superblock where it lies. */
function change(disk: MemoryLayer, changes: (superblock: Superblock) => Partial<Superblock>): void {
  for (const version of ["1.2", "1.0", "1.1", "0.90"] as const) {
    const byteOffset = superblockOffset(version, disk.bytes.length)!;
    const place = { source: disk.name, deviceSize: disk.bytes.length, version, byteOffset };
    let superblock: Superblock;
    try {
      superblock = decodeSuperblock(disk.bytes.slice(byteOffset, byteOffset + 4096), place);
    } catch {
      continue;
    }
    disk.bytes.set(encodeSuperblock({ ...superblock, ...changes(superblock) }), byteOffset);
  }
}

async function failureOf(disks: readonly MemoryLayer[], how: OpenArrayOptions = {}): Promise<CevError> {
  try {
    const { device } = await openAny(disks, how);
    await device.close();
  } catch (error) {
    if (error instanceof CevError) return error;
    throw error;
  }
  throw new Error("it was opened");
}

describe("an array that was made here", () => {
  it.each<[string, Omit<CreateOptions, "members">, number, number]>([
    ["linear", { level: -1 }, 3, 0],
    ["RAID0", { level: 0 }, 3, 0],
    ["RAID1", { level: 1 }, 3, 2],
    ["RAID4", { level: 4 }, 3, 1],
    ["RAID5", { level: 5 }, 4, 1],
    ["RAID6", { level: 6 }, 4, 2],
    ["RAID10", { level: 10 }, 4, 1],
    ["RAID10 with far copies", { level: 10, layout: 0x201 }, 3, 1],
  ])(
    "%s is opened with as many members missing as its level bears",
    async (_name, options, count, missingMax) => {
      for (const version of ["0.90", "1.0", "1.1", "1.2"] as const) {
        const disks = await newArray({ ...options, version }, new Array<number>(count).fill(4 * MIB));
        const { device: first } = await openAny([...disks].reverse());
        const data = new Random(1).bytes(256 * 1024);
        await first.write(12_288, data);
        await first.close();
        for (let missing = 0; missing <= missingMax; missing++) {
          const { device, opened } = await openAny(disks.slice(missing));
          expect(
            Buffer.compare(await device.read(12_288, data.length), data),
            `${version} without ${missing}`,
          ).toBe(0);
          expect(opened.details).toMatchObject({ metadata: version, isDegraded: missing > 0 });
          await device.close();
        }
        // Without any member there is no array at all.
        if (options.level === 1) continue;
        const { code } = await failureOf(options.level === 10 ? disks.slice(2) : disks.slice(missingMax + 1));
        expect(code).toBe("CEV_DEGRADED");
      }
    },
  );

  it("has spares, which are not left out", async () => {
    const disks = await newArray({ level: 5 }, new Array<number>(4).fill(4 * MIB), 1);
    const { device, opened, problems } = await openAny(disks, { isReadOnly: true });
    expect(opened.details).toMatchObject({ spares: ["disk3"], leftOut: [] });
    expect(problems).toEqual([]);
    await device.close();
  });
});

describe("messages", () => {
  it("name many places that are missing by where they begin and end", async () => {
    const disks = await newArray({ level: 1 }, new Array<number>(9).fill(4 * MIB));
    const messageWith = async (...present: number[]): Promise<string> => {
      const { device, problems } = await openAny(
        present.map((index) => disks[index]!),
        { isReadOnly: true },
      );
      await device.close();
      return problems.at(-1)!.message;
    };
    expect(await messageWith(0, 2, 5)).toContain("active devices 1, 3, 4, 6 to 8 are missing");
    expect(await messageWith(0)).toContain("active devices 1 to 8 are missing");
    expect(await messageWith(0, 1, 2, 3, 4, 5, 6)).toContain("active devices 7, 8 are missing");
  });
});

describe("RAID0 of members of different sizes", () => {
  const sizes = [4 * MIB, 6 * MIB, 9 * MIB];

  it.each([1, 2])("with layout %i is read as it was written", async (layout) => {
    const disks = await newArray({ level: 0, layout }, sizes);
    const { device } = await openAny(disks);
    const data = new Random(2).bytes(device.size);
    await device.write(0, data);
    await device.close();
    const { device: again, opened } = await openAny([...disks].reverse());
    expect(Buffer.compare(await again.read(0, again.size), data)).toBe(0);
    expect(opened.details["layout"]).toBe(layout === 1 ? "original" : "alternate");
    await again.close();
  });

  it("whose layout was not recorded is refused, with the way out", async () => {
    const disks = await newArray({ level: 0 }, sizes);
    for (const disk of disks)
      change(disk, ({ features }) => ({ features: features & ~FeatureFlag.raid0Layout }));
    const { code, message, place } = await failureOf(disks);
    expect(code).toBe("CEV_UNKNOWN_FEATURE");
    expect(message).toContain("original");
    expect(place).toMatchObject({ field: "layout", byteOffset: 4096 + 76 });
  });
});

describe("stale members", () => {
  async function withStale(bitmap: "internal" | "none"): Promise<MemoryLayer[]> {
    const disks = await newArray({ level: 5, bitmap }, new Array<number>(3).fill(4 * MIB));
    const { device: before } = await openAny(disks);
    await before.write(0, new Uint8Array(65_536).fill(1));
    await before.close();
    const { device } = await openAny(disks.slice(1), { canWriteDegraded: true });
    await device.write(0, new Uint8Array(65_536).fill(2));
    await device.close();
    return disks;
  }

  it.each([
    ["internal", true],
    ["none", false],
  ] as const)("with a bitmap %s can be added again by it: %s", async (bitmap, canReAdd) => {
    const disks = await withStale(bitmap);
    const { device, opened, problems } = await openAny(disks, { isReadOnly: true });
    expect(opened.details["leftOut"]).toMatchObject([{ device: "disk0", canReAdd }]);
    expect(problems[0]!.message.includes("added again")).toBe(canReAdd);
    await device.close();
  });

  it("are not taken unless that is forced; then the message says what may be lost", async () => {
    const disks = (await withStale("none")).slice(0, 2);
    const refused = await failureOf(disks);
    expect(refused.code).toBe("CEV_DEGRADED");
    expect(refused.place.hint).toContain("force");
    for (const disk of disks) disk.log.length = 0;
    const { device, opened, problems } = await openAny(disks, { options: { force: true }, isReadOnly: true });
    expect(problems[0]).toMatchObject({
      device: "disk0",
      message: expect.stringContaining("lost") as string,
    });
    expect(opened.state).toBe("dirty, degraded");
    await device.read(0, device.size);
    await device.close();
    for (const disk of disks) expect(disk.log.every(({ op }) => op === Op.read)).toBe(true);
  });

  it("that were forced are members like all others afterwards", async () => {
    const disks = (await withStale("none")).slice(0, 2);
    const forced = await openAny(disks, { options: { force: true }, canWriteDegraded: true });
    const data = new Random(3).bytes(forced.device.size);
    await forced.device.write(0, data);
    await forced.device.close();
    const { device, opened } = await openAny(disks);
    expect(opened.state).toBe("clean, degraded");
    expect(Buffer.compare(await device.read(0, device.size), data)).toBe(0);
    await device.close();
  });
});

describe("what cannot be opened", () => {
  const sizes = new Array<number>(3).fill(4 * MIB);

  it("keeps the place of the first superblock that was refused", async () => {
    const disks = await newArray({ level: 5 }, sizes);
    for (const disk of disks) disk.bytes[4096 + 80]! ^= 1;
    const { code, place } = await failureOf(disks);
    expect(code).toBe("CEV_BAD_METADATA");
    expect(place).toMatchObject({ source: "disk0", field: "sb_csum", byteOffset: 4096 + 216 });
  });

  it("says why members are lacking, with the place of what was wrong with them", async () => {
    const disks = await newArray({ level: 5 }, sizes);
    disks[1]!.bytes[4096 + 80]! ^= 1;
    const { code, message, place } = await failureOf(disks.slice(0, 2));
    expect(code).toBe("CEV_DEGRADED");
    expect(message).toContain("disk1 cannot be used");
    expect(place).toMatchObject({ field: "sb_csum" });
  });

  it.each<[string, number, string, string]>([
    ["a bitmap of a cluster", FeatureFlag.bitmapVersioned, "cluster", "CEV_UNKNOWN_FEATURE"],
    ["a journal that is not there", FeatureFlag.journal, "journal", "CEV_DEGRADED"],
    ["features nobody knows", 0x4000, "0x4000", "CEV_UNKNOWN_FEATURE"],
  ])("is refused by name: %s", async (_name, feature, words, code) => {
    const disks = await newArray({ level: 5 }, sizes);
    for (const { bytes } of disks) {
      const view = new DataView(bytes.buffer, 4096);
      view.setUint32(8, view.getUint32(8, true) | feature, true);
      const length = 256 + 2 * view.getUint32(220, true);
      view.setUint32(216, checksumOf(bytes.subarray(4096, 8192), length, 216), true);
    }
    const failure = await failureOf(disks);
    expect(failure.code).toBe(code);
    expect(failure.message).toContain(words);
  });

  it("goes without a member whose bad-block log cannot be read: nothing of its data is known to be good", async () => {
    const disks = await newArray({ level: 5 }, sizes);
    change(disks[1]!, ({ features }) => ({ features: features | FeatureFlag.badBlocks }));
    const { device, problems } = await openAny(disks, { isReadOnly: true });
    expect(problems[0]).toMatchObject({
      device: "disk1",
      message: expect.stringContaining("bad-block log") as string,
    });
    await device.close();
  });
});
