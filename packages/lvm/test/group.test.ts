import { describe, expect, test } from "vitest";
import { decodeGroup, identifyGroup } from "../src/model/group.ts";
import type { VolumeGroup } from "../src/model/group.ts";
import { TextError } from "../src/text/parser.ts";
import type { ConfigSection } from "../src/text/parser.ts";
import { EXTENT_COUNT, groupText, linear, segment, uuidOf, volume } from "./support/group-image.ts";
import type { GroupRecipe } from "./support/group-image.ts";

const base: GroupRecipe = {
  pvs: [uuidOf("a"), uuidOf("b")],
  volumes: {
    root: linear(uuidOf("r"), [
      [10, "pv0", 0],
      [5, "pv1", 3],
    ]),
    swap: linear(uuidOf("s"), [[2, "pv0", 10]]),
  },
};

function decode(text: string): VolumeGroup {
  return decodeGroup(identifyGroup(text));
}

function withVolume(body: string): string {
  return groupText({ ...base, volumes: { ...base.volumes, odd: body } });
}

test("a group becomes a model in bytes and extents, and its text stays with it", () => {
  const group = decode(groupText({ ...base, seqno: 7, more: 'future_key = ["x", 1]' }));
  expect(group).toMatchObject({
    name: "vg0",
    uuid: uuidOf("g"),
    seqno: 7,
    extentSize: 4096,
    physicalVolumes: [
      { name: "pv0", uuid: uuidOf("a"), size: 1 << 20, dataOffset: 65_536, extentCount: EXTENT_COUNT },
      { name: "pv1", uuid: uuidOf("b"), isMarkedMissing: false },
    ],
    logicalVolumes: [
      { name: "root", extentCount: 15, isVisible: true, isWritable: true },
      { name: "swap", extentCount: 2 },
    ],
  });
  const section = group.tree!.entries.get("vg0")!.value;
  expect((section as ConfigSection).entries.get("future_key")!.value).toEqual(["x", 1]);
});

test("segments written out of order are put in order", () => {
  const segments = [
    'segment2 {\nstart_extent = 4\nextent_count = 2\ntype = "striped"\nstripe_count = 1\nstripes = ["pv1", 9]\n}',
    'segment1 {\nstart_extent = 0\nextent_count = 4\ntype = "striped"\nstripe_count = 1\nstripes = ["pv1", 20]\n}',
  ];
  const group = decode(withVolume(volume(uuidOf("o"), segments)));
  const starts = group.logicalVolumes
    .find(({ name }) => name === "odd")!
    .segments.map((found) => found.startExtent);
  expect(starts).toEqual([0, 4]);
});

test("another segment type is kept as unknown with a reason, and what it needs where that is known", () => {
  const mappingOf = (lines: string): unknown =>
    decode(withVolume(volume(uuidOf("o"), [segment(lines)]))).logicalVolumes.at(-1)!.segments[0]!.mapping;
  expect(mappingOf('type = "cloud"')).toEqual({
    kind: "unknown",
    reason: 'has a segment of the type "cloud"',
  });
  expect(mappingOf('type = "cache"\ncache_pool = "pool"')).toEqual({
    kind: "unknown",
    reason: 'has a segment of the type "cache"; that needs an engine for dm-cache',
  });
  expect(mappingOf('type = "striped+SHINY"')).toEqual({
    kind: "unknown",
    reason: 'has a segment of the type "striped+SHINY"',
  });
});

test("a volume may lie on another", () => {
  const stacked = decode(
    withVolume(volume(uuidOf("o"), [segment('type = "striped"\nstripe_count = 1\nstripes = ["root", 0]')])),
  );
  expect(stacked.logicalVolumes.at(-1)!.segments[0]!.mapping).toMatchObject({
    kind: "striped",
    areas: [{ kind: "logical", volume: "root", startExtent: 0, extentCount: 2 }],
  });
});

describe("is refused with the line it stands in:", () => {
  const good = groupText(base);
  const striped = (lines: string, count = 2): string =>
    withVolume(volume(uuidOf("o"), [segment(`type = "striped"\n${lines}`, count)]));
  const cases: readonly (readonly [string, string, RegExp])[] = [
    ["another kind of text", good.replace("Text Format Volume Group", "Backup"), /contents/],
    ["another version of the format", good.replace("\nversion = 1", "\nversion = 2"), /version/],
    ["no group", 'contents = "Text Format Volume Group"\nversion = 1\n', /no volume group/],
    ["two groups", `${good}vg1 {\n}\n`, /second volume group/],
    ["a group named like an option", good.replace("vg0 {", "-rf {"), /valid name/],
    ["a group named ..", good.replace("vg0 {", ".. {"), /valid name/],
    ["a group named with a slash", good.replace("vg0 {", '"a/b" {'), /valid name/],
    ["a volume named with a line end", good.replace("swap {", '"sw\nap" {'), /valid name/],
    ["a volume with a name of 128 characters", good.replace("swap {", `${"x".repeat(128)} {`), /valid name/],
    ["a group without a UUID", good.replace(/^id = .*$/m, ""), /has no id/],
    ["a UUID that is none", good.replace(uuidOf("g"), "../../etc"), /UUID/],
    ["two physical volumes with one UUID", good.replace(uuidOf("b"), uuidOf("a")), /another physical volume/],
    ["two logical volumes with one UUID", good.replace(uuidOf("s"), uuidOf("r")), /another logical volume/],
    ["another format", good.replace('"lvm2"', '"lvm9"'), /format/],
    ["extents of no size", good.replace("extent_size = 8", "extent_size = 0"), /extent_size/],
    ["extents of 2^60 sectors", good.replace("extent_size = 8", `extent_size = ${2n ** 60n}`), /extent_size/],
    ["2^60 extents on a device", good.replace("pe_count = 240", `pe_count = ${2n ** 60n}`), /pe_count/],
    [
      "2^60 extents in a segment",
      good.replace("extent_count = 10", `extent_count = ${2n ** 60n}`),
      /extent_count .* is 1152921504606846976, which is not from 1 to 4294967295/,
    ],
    ["a sequence number below 0", good.replace("seqno = 1", "seqno = -1"), /seqno/],
    ["extents beyond the device", good.replace("pe_count = 240", "pe_count = 241"), /beyond the end/],
    [
      "a segment beyond the extents",
      good.replace('stripes = ["pv1", 3]', 'stripes = ["pv1", 236]'),
      /has 240/,
    ],
    [
      "an extent that two volumes use",
      good.replace('stripes = ["pv0", 10]', 'stripes = ["pv0", 9]'),
      /belongs to/,
    ],
    [
      "an extent that a volume uses twice",
      good.replace('stripes = ["pv1", 3]', 'stripes = ["pv0", 9]'),
      /belongs to/,
    ],
    ["a gap between segments", good.replace("start_extent = 10", "start_extent = 11"), /start_extent/],
    ["segments that overlap", good.replace("start_extent = 10", "start_extent = 9"), /start_extent/],
    ["more segments than counted", good.replace("segment_count = 2", "segment_count = 1"), /segment_count/],
    ["2^32 - 1 segments", good.replace("segment_count = 2", "segment_count = 4294967295"), /segment_count/],
    ["an empty segment", good.replace("extent_count = 10", "extent_count = 0"), /extent_count/],
    ["a section where a list belongs", good.replace("flags = []", "flags { }"), /flags/],
    ["a number where a string belongs", good.replace('format = "lvm2"', "format = 2"), /format/],
    [
      "a list where a section belongs",
      good.replace(/logical_volumes \{[^]*?\n\}\n\}\n\}\n/, "logical_volumes = []\n}\n"),
      /./,
    ],
    ["2^60 stripes", striped(`stripe_count = ${2n ** 60n}\nstripes = ["pv1", 50]`), /stripe_count/],
    [
      "fewer stripes than counted",
      striped('stripe_count = 2\nstripe_size = 8\nstripes = ["pv1", 50]'),
      /stripe_count/,
    ],
    [
      "stripes that do not share evenly",
      striped('stripe_count = 2\nstripe_size = 8\nstripes = ["pv0", 50, "pv1", 50]', 3),
      /evenly/,
    ],
    ["stripes without a size", striped('stripe_count = 2\nstripes = ["pv0", 50, "pv1", 50]'), /stripe_size/],
    ["a stripe without an extent", striped('stripe_count = 1\nstripes = ["pv0", "pv1"]'), /stripes/],
    ["a stripe at a negative extent", striped('stripe_count = 1\nstripes = ["pv0", -2]'), /stripes/],
  ];
  test.each(cases)("%s", (_, text, message) => {
    expect(text).not.toBe(good);
    let error: unknown;
    try {
      decode(text);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(TextError);
    expect((error as TextError).message).toMatch(message);
    expect((error as TextError).line).toBeGreaterThan(0);
  });

  test("the place is that of the key", () => {
    const text = good.replace("pe_count = 240", "pe_count = -1");
    const line = text.split("\n").indexOf("pe_count = -1") + 1;
    expect(() => decode(text)).toThrow(expect.objectContaining({ line, column: 1 }));
  });
});
