import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { textOf } from "../src/disk/bytes.ts";
import { decodeGroup, identifyGroup } from "../src/model/group.ts";
import type { VolumeGroup } from "../src/model/group.ts";
import type { Mapping } from "../src/model/mappings.ts";
import { TextError } from "../src/text/parser.ts";
import { base } from "./support/base-recipe.ts";
import { groupText, linear, segment, uuidOf, volume } from "./support/group-image.ts";

const MIB = 1024 * 1024;

function decode(text: string): VolumeGroup {
  return decodeGroup(identifyGroup(text));
}

describe("segments that LVM2 made", () => {
  const url = new URL("texts/every-type.disk.txt", import.meta.url);
  const group = decode(textOf(new Uint8Array(readFileSync(url))));
  const mappingOf = (name: string): Mapping =>
    group.logicalVolumes.find((one) => one.name === name)!.segments[0]!.mapping;
  const physical = (name: string, startExtent: number, extentCount: number): unknown => ({
    kind: "physical",
    physicalVolume: group.physicalVolumes.find((one) => one.name === name),
    startExtent,
    extentCount,
  });
  const members = (name: string, count: number): unknown =>
    Array.from({ length: count }, (_, index) => ({
      meta: `${name}_rmeta_${index}`,
      data: `${name}_rimage_${index}`,
    }));
  const raid = { kind: "raid", stripeSize: 65_536, regionSize: 2 * MIB, copyCount: 0, hindrance: null };

  test.each<[string, unknown]>([
    ["lin", { kind: "striped", areas: [physical("pv0", 0, 4)], stripeSize: 0 }],
    ["str", { kind: "striped", areas: [physical("pv0", 4, 2), physical("pv1", 0, 2)], stripeSize: 65_536 }],
    ["err", { kind: "error" }],
    ["zer", { kind: "zero" }],
    [
      "mir",
      {
        kind: "mirror",
        images: ["mir_mimage_0", "mir_mimage_1"].map((name) => ({
          kind: "logical",
          volume: name,
          startExtent: 0,
          extentCount: 4,
        })),
        log: "mir_mlog",
        regionSize: 2 * MIB,
        extentsMoved: null,
      },
    ],
    ["r1", { ...raid, members: members("r1", 2), stripeSize: 0 }],
    ["r4", { ...raid, members: members("r4", 3) }],
    ["r5", { ...raid, members: members("r5", 4) }],
    ["r6", { ...raid, members: members("r6", 5) }],
    ["r10", { ...raid, members: members("r10", 4), copyCount: 2 }],
    [
      "r0",
      {
        ...raid,
        regionSize: 0,
        members: [
          { meta: null, data: "r0_rimage_0" },
          { meta: null, data: "r0_rimage_1" },
        ],
      },
    ],
    ["r0m", { ...raid, regionSize: 0, members: members("r0m", 2) }],
    ["snapshot0", { kind: "snapshot", origin: "org", store: "snap", chunkSize: 4096, isMerging: false }],
    [
      "pool",
      { kind: "thin-pool", metadata: "pool_tmeta", data: "pool_tdata", transactionId: 3, chunkSize: 65_536 },
    ],
    [
      "tsnap",
      {
        kind: "thin",
        pool: "pool",
        transactionId: 1,
        deviceId: 2,
        externalOrigin: null,
        origin: "thin",
        merge: null,
      },
    ],
    [
      "cached",
      { kind: "unknown", reason: 'has a segment of the type "cache"; that needs an engine for dm-cache' },
    ],
  ])("are decoded with all that counts: %s", (name, mapping) => {
    expect(mappingOf(name)).toEqual(mapping);
  });

  test("of types that are known by name only, say what would be needed", () => {
    const reasons = group.logicalVolumes.flatMap(({ segments }) =>
      segments.flatMap(({ type, mapping }) => (mapping.kind === "unknown" ? [[type, mapping.reason]] : [])),
    );
    expect(new Set(reasons.map(([type]) => type))).toEqual(
      new Set(["cache", "cache-pool", "writecache", "integrity"]),
    );
    for (const [, reason] of reasons) expect(reason).toMatch(/that needs an engine for dm-/);
  });

  test("flags behind a type are kept apart from it", () => {
    const { segments } = group.logicalVolumes.find(({ name }) => name === "cpool_cpool")!;
    expect(segments[0]).toMatchObject({ type: "cache-pool", typeFlags: ["METADATA_FORMAT"] });
  });
});

/** The base group with volumes of two extents each, one after the other on pv0 from extent 20, and more. */
function withParts(names: readonly string[], more: Readonly<Record<string, string>>): string {
  const parts = names.map((name, index): [string, string] => [
    name,
    linear(uuidOf(String.fromCharCode(65 + index)), [[2, "pv0", 20 + 2 * index]]),
  ]);
  return groupText({ ...base, volumes: { ...base.volumes, ...Object.fromEntries(parts), ...more } });
}

function one(lines: string, extentCount = 2): string {
  return volume(uuidOf("z"), [segment(lines, extentCount)]);
}

test("old mirrors and moves lie on physical volumes", () => {
  const group = decode(
    withParts([], {
      moved: one('type = "mirror"\nmirror_count = 2\nextents_moved = 1\nmirrors = ["pv0", 30, "pv1", 30]'),
    }),
  );
  expect(group.logicalVolumes.at(-1)!.segments[0]!.mapping).toMatchObject({
    images: [
      { kind: "physical", startExtent: 30, extentCount: 2 },
      { kind: "physical", startExtent: 30, extentCount: 2 },
    ],
    log: null,
    extentsMoved: 1,
  });
});

test("a reshape is a hindrance that is named, not another type", () => {
  const raid = 'device_count = 2\nregion_size = 128\nstripe_size = 8\nraids = ["a", "b", "c", "d"]';
  const mappingOf = (lines: string): Mapping =>
    decode(withParts(["a", "b", "c", "d"], { r: one(lines) })).logicalVolumes.at(-1)!.segments[0]!.mapping;
  expect(mappingOf(`type = "raid5"\n${raid}`)).toMatchObject({ kind: "raid", hindrance: null });
  expect(mappingOf(`type = "raid5+RESHAPE"\n${raid}`)).toMatchObject({
    hindrance: expect.stringMatching(/reshaped/) as unknown,
  });
  expect(mappingOf(`type = "raid5"\ndata_offset = 8192\n${raid}`)).toMatchObject({
    hindrance: expect.stringMatching(/offset/) as unknown,
  });
});

describe("is refused with the line it stands in:", () => {
  const raid1 = (members: string, count = 2): string =>
    one(`type = "raid1"\ndevice_count = ${count}\nregion_size = 128\nraids = [${members}]`);
  const snapshot = (lines: string): string => one(`type = "snapshot"\nchunk_size = 8\n${lines}`);
  test.each<[string, string, RegExp]>([
    [
      "a part that is no volume",
      withParts(["a"], { r: raid1('"a", "gone", "b", "c"') }),
      /"gone", which is no volume/,
    ],
    [
      "a stripe on nothing",
      withParts([], { r: one('type = "striped"\nstripe_count = 1\nstripes = ["gone", 0]') }),
      /"gone"/,
    ],
    [
      "a part used twice by one volume",
      withParts(["a", "b", "c"], { r: raid1('"a", "b", "c", "b"') }),
      /"b" for a part, which is a part of "r" already/,
    ],
    [
      "a part used by two volumes",
      withParts(["a", "b", "c", "d"], {
        r: raid1('"a", "b", "c", "d"'),
        s: snapshot('origin = "left"\ncow_store = "d"').replace(uuidOf("z"), uuidOf("y")),
      }),
      /"d" for a part, which is a part of "r" already/,
    ],
    [
      "a part that is too small",
      withParts(["a", "b", "c", "d"], {
        r: raid1('"a", "b", "c", "d"').replace("extent_count = 2", "extent_count = 3"),
      }),
      /needs 3 extents of "b", which has 2/,
    ],
    [
      "an extent of a volume that is used twice",
      withParts(["a"], {
        r: one('type = "striped"\nstripe_count = 1\nstripes = ["a", 0]'),
        s: one('type = "striped"\nstripe_count = 1\nstripes = ["a", 1]', 1).replace(uuidOf("z"), uuidOf("y")),
      }),
      /extent 1 of "a" belongs to "r" and to "s"/,
    ],
    [
      "an extent under an image of a mirror and under a volume",
      withParts(["a"], {
        r: one('type = "mirror"\nmirror_count = 2\nmirrors = ["pv0", 20, "pv1", 40]'),
      }),
      /extent 20 of "pv0" belongs to/,
    ],
    [
      "a volume on itself",
      withParts([], { r: one('type = "striped"\nstripe_count = 1\nstripes = ["r", 0]') }),
      /"r" lies on itself/,
    ],
    [
      "a circle of volumes",
      withParts(["c"], {
        r: one('type = "striped"\nstripe_count = 1\nstripes = ["s", 0]'),
        s: snapshot('origin = "t"\ncow_store = "c"').replace(uuidOf("z"), uuidOf("y")),
        t: one('type = "mirror"\nmirror_count = 1\nmirrors = ["r", 0]').replace(uuidOf("z"), uuidOf("x")),
      }),
      /"[rst]" lies on itself/,
    ],
    ["names where pairs belong", withParts(["a", "b", "c"], { r: raid1('"a", "b", "c"') }), /device_count/],
    ["254 members", withParts([], { r: raid1("", 254) }), /device_count/],
    [
      "a log without a region size",
      withParts(["a"], {
        r: one('type = "mirror"\nmirror_count = 1\nmirror_log = "a"\nmirrors = ["pv1", 40]'),
      }),
      /mirror_log/,
    ],
    [
      "a snapshot with two stores",
      withParts(["a", "b"], { s: snapshot('origin = "left"\ncow_store = "a"\nmerging_store = "b"') }),
      /merging_store/,
    ],
    [
      "a snapshot without a chunk size",
      withParts(["a"], { s: one('type = "snapshot"\norigin = "left"\ncow_store = "a"') }),
      /chunk_size/,
    ],
    [
      "a thin volume with a large number",
      withParts([], {
        s: one('type = "thin"\nthin_pool = "left"\ntransaction_id = 1\ndevice_id = 16777216'),
      }),
      /device_id/,
    ],
    [
      "RAID without a stripe size",
      withParts(["a", "b", "c"], { r: one('type = "raid5"\ndevice_count = 3\nraids = ["a", "b", "c"]') }),
      /stripe_size/,
    ],
  ])("%s", (_, text, message) => {
    expect(() => decode(text)).toThrow(TextError);
    expect(() => decode(text)).toThrow(message);
  });

  test("a chain of 3,000 volumes that ends in a circle", () => {
    const count = 3000;
    const id = (index: number): string => `${"0".repeat(5)}${index}`.slice(-5);
    const chain = Array.from({ length: count }, (_, index): [string, string] => [
      `v${index}`,
      one(`type = "striped"\nstripe_count = 1\nstripes = ["v${(index + 1) % count}", 0]`, 1).replace(
        uuidOf("z"),
        `z${id(index)}-zzzz-zzzz-zzzz-zzzz-zzzz-zzzzzz`,
      ),
    ]);
    const text = groupText({ ...base, volumes: Object.fromEntries(chain) });
    expect(() => decode(text)).toThrow(/lies on itself/);
  });
});
