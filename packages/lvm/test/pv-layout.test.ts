import { fc, test } from "@fast-check/vitest";
import { describe, expect } from "vitest";
import { LABEL_SECTOR_COUNT, decodeLabel, findLabel } from "../src/disk/label.ts";
import { decodeMdaHeader, isIgnored } from "../src/disk/mda.ts";
import {
  clearedArea,
  creationRounds,
  extentCountOf,
  labelFor,
  labelWrite,
  layoutOf,
  layoutPhysicalVolume,
  removalWrites,
  withUse,
} from "../src/disk/pv-layout.ts";
import type { PvLayoutOptions } from "../src/disk/pv-layout.ts";
import { createUuid, isDashedUuid } from "../src/disk/uuid.ts";
import { uuidOf } from "./support/group-image.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
const size = 64 * MIB;

/** What `pvck --dump headers` of LVM2 2.03.16 says: data offset, areas, bootloader's area. */
const made: readonly (readonly [
  string,
  PvLayoutOptions,
  number,
  readonly number[][],
  readonly number[] | null,
])[] = [
  ["no options", { size }, MIB, [[4096, 1_044_480]], null],
  ["--pvmetadatacopies 0", { size, metadataCopies: 0 }, MIB, [], null],
  [
    "--pvmetadatacopies 2",
    { size, metadataCopies: 2 },
    MIB,
    [
      [4096, 1_044_480],
      [66_060_288, MIB],
    ],
    null,
  ],
  ["--metadatasize 3m", { size, metadataSize: 3 * MIB }, 4 * MIB, [[4096, 4_190_208]], null],
  [
    "--metadatasize 3m --pvmetadatacopies 2",
    { size, metadataSize: 3 * MIB, metadataCopies: 2 },
    4 * MIB,
    [
      [4096, 4_190_208],
      [63_963_136, 3 * MIB],
    ],
    null,
  ],
  ["--dataalignment 4m", { size, dataAlignment: 4 * MIB }, 4 * MIB, [[4096, 4_190_208]], null],
  [
    "--dataalignment 2m --dataalignmentoffset 7s",
    { size, dataAlignment: 2 * MIB, dataAlignmentOffset: 3584 },
    2_100_736,
    [[4096, 2_096_640]],
    null,
  ],
  [
    "--bootloaderareasize 300k",
    { size, bootloaderSize: 300 * KIB },
    2 * MIB,
    [[4096, 1_044_480]],
    [MIB, MIB],
  ],
  ["--metadatasize 10m of 3 MiB", { size: 3 * MIB, metadataSize: 10 * MIB }, MIB, [[4096, 1_044_480]], null],
  [
    "--metadatasize 64k --dataalignment 64k",
    { size, metadataSize: 64 * KIB, dataAlignment: 64 * KIB },
    128 * KIB,
    [[4096, 126_976]],
    null,
  ],
  [
    "--bootloaderareasize 2m --pvmetadatacopies 2 --metadatasize 128k --dataalignment 256k",
    { size, bootloaderSize: 2 * MIB, metadataCopies: 2, metadataSize: 128 * KIB, dataAlignment: 256 * KIB },
    2_359_296,
    [
      [4096, 258_048],
      [66_846_720, 256 * KIB],
    ],
    [256 * KIB, 2 * MIB],
  ],
];

test.each(made)("parts lie where LVM2 puts them with %s", (_, options, dataOffset, areas, bootloader) => {
  const layout = layoutPhysicalVolume(options);
  expect(layout.dataOffset).toBe(dataOffset);
  expect(layout.metadataAreas.map((area) => [area.offset, area.size])).toEqual(areas);
  expect(layout.bootloaderArea).toEqual(
    bootloader === null ? null : { offset: bootloader[0], size: bootloader[1] },
  );
  expect(layoutOf(decodeLabel(labelWrite(labelFor(layout, uuidOf("a"))).bytes, 1, "d0"))).toEqual(layout);
});

const sectors = (max: number): fc.Arbitrary<number> =>
  fc.integer({ min: 1, max }).map((count) => count * 512);

test.prop([
  fc.record({
    size: fc.integer({ min: 2 * MIB, max: 100 * MIB }),
    metadataCopies: fc.constantFrom(undefined, 0, 1, 2),
    metadataSize: fc.option(sectors(20_000), { nil: undefined }),
    dataAlignment: fc.option(sectors(8192), { nil: undefined }),
    dataAlignmentOffset: fc.constantFrom(undefined, 0, 512, 3584),
    bootloaderSize: fc.option(sectors(4096), { nil: undefined }),
    dataOffset: fc.option(sectors(20_000), { nil: undefined }),
  }),
])("parts never overlap and never pass the end, or the device is refused", (options) => {
  let layout;
  try {
    layout = layoutPhysicalVolume(options);
  } catch (error) {
    expect(error).toMatchObject({ code: expect.stringMatching(/^CEV_(INVALID|NO_SPACE)$/) as unknown });
    return;
  }
  const { metadataAreas, bootloaderArea, dataOffset } = layout;
  const parts = [
    { offset: 0, size: LABEL_SECTOR_COUNT * 512 },
    ...metadataAreas,
    ...(bootloaderArea === null ? [] : [bootloaderArea]),
    { offset: dataOffset, size: extentCountOf(layout, 4096) * 4096 },
  ].toSorted((left, right) => left.offset - right.offset || left.size - right.size);
  let end = 0;
  for (const part of parts) {
    expect(part.offset).toBeGreaterThanOrEqual(end);
    end = part.offset + part.size;
  }
  expect(end).toBeLessThanOrEqual(options.size);
  if (options.dataOffset !== undefined) expect(dataOffset).toBe(options.dataOffset);
});

test("a device becomes a physical volume only with the last write, and stops being one with the first of its removal", () => {
  const layout = layoutPhysicalVolume({ size, metadataCopies: 2 });
  const bytes = new Uint8Array(size).fill(0xa5);
  const label = labelFor(layout, uuidOf("a"), 2);
  const rounds = creationRounds(label);
  expect(rounds).toHaveLength(3);
  for (const round of rounds) {
    expect(findLabel(bytes.subarray(0, 2048), "d0").label).toBeNull();
    for (const write of round) bytes.set(write.bytes, write.offset);
  }
  expect(findLabel(bytes.subarray(0, 2048), "d0")).toEqual({ label, errors: [], ignoredSectors: [] });
  for (const { offset, size: areaSize } of layout.metadataAreas) {
    const place = { source: "d0", structure: "LVM2 metadata area", byteOffset: offset };
    expect(decodeMdaHeader(bytes.subarray(offset, offset + 512), place)).toEqual({
      start: offset,
      size: areaSize,
      committed: null,
      precommitted: null,
    });
  }
  // Also of a label that is damaged.
  bytes[1100]! ^= 1;
  expect(removalWrites(bytes.subarray(0, 2048))).toEqual([{ offset: 1024, bytes: new Uint8Array(512) }]);
});

test("an area that is cleared stays out of use where it was", () => {
  const place = { source: "d0", structure: "LVM2 metadata area", byteOffset: 4096 };
  for (const isUnused of [false, true]) {
    const { offset, bytes } = clearedArea({ offset: 4096, size: MIB - 4096 }, isUnused);
    const header = decodeMdaHeader(bytes, place);
    expect([offset, isIgnored(header), header.committed]).toEqual([4096, isUnused, null]);
  }
});

test("the mark of use is set and taken away, and the rest of the label stays", () => {
  const layout = layoutPhysicalVolume({ size, bootloaderSize: MIB });
  const label = labelFor(layout, uuidOf("a"));
  expect(label.extension!.flags).toBe(0);
  expect(withUse(label, true)).toEqual({ ...label, extension: { ...label.extension, flags: 1 } });
  expect(withUse(withUse(label, true), false)).toEqual(label);
  expect(withUse({ ...label, extension: null }, true).extension).toEqual({
    version: 2,
    flags: 1,
    bootloaderAreas: [],
  });
});

describe("is refused:", () => {
  test.each([
    ["a device too small", { size: 2 * MIB - 1 }, "CEV_NO_SPACE"],
    ["an alignment beyond the device", { size: 3 * MIB, dataAlignment: 4 * MIB }, "CEV_NO_SPACE"],
    ["data beyond the device", { size, dataOffset: size + 512 }, "CEV_NO_SPACE"],
    ["no room for metadata in front of the data", { size, dataOffset: 16_384 }, "CEV_NO_SPACE"],
    ["a size that is not whole sectors", { size, metadataSize: 1000 }, "CEV_INVALID"],
    ["a size that is negative", { size, bootloaderSize: -512 }, "CEV_INVALID"],
    ["an alignment of 0", { size, dataAlignment: 0 }, "CEV_INVALID"],
    [
      "an offset beyond the alignment",
      { size, dataAlignment: 512, dataAlignmentOffset: 1024 },
      "CEV_INVALID",
    ],
    ["three copies", { size, metadataCopies: 3 }, "CEV_INVALID"],
    [
      "a bootloader's area that does not fit",
      { size, bootloaderSize: MIB, dataOffset: MIB + 512 },
      "CEV_INVALID",
    ],
  ])("%s", (_, options, code) => {
    expect(() => layoutPhysicalVolume(options)).toThrow(expect.objectContaining({ code }));
  });
});

test("a new UUID is made of what chance gives, each character as likely as any other", () => {
  let next = 0;
  const counting = (bytes: Uint8Array): void => bytes.forEach((_, index) => (bytes[index] = next++));
  const uuids = Array.from({ length: 31 }, () => createUuid(counting));
  expect(uuids.every(isDashedUuid)).toBe(true);
  expect(uuids[0]).toBe("012345-6789-abcd-efgh-ijkl-mnop-qrstuv");
  const random = (bytes: Uint8Array): unknown => crypto.getRandomValues(bytes);
  const counts = new Map<string, number>();
  for (let index = 0; index < 500; index++)
    for (const character of createUuid(random).replaceAll("-", ""))
      counts.set(character, (counts.get(character) ?? 0) + 1);
  expect(counts.size).toBe(62);
  for (const count of counts.values()) expect(count).toBeGreaterThan(150);
});
