import { readFileSync } from "node:fs";
import { fc, test } from "@fast-check/vitest";
import { expect } from "vitest";
import { bytesOf, textOf } from "../src/disk/bytes.ts";
import { encodeGroup, encodeGroupText } from "../src/model/encode-group.ts";
import { decodeGroup, identifyGroup } from "../src/model/group.ts";
import type { LogicalVolume, PhysicalVolume, VolumeGroup } from "../src/model/group.ts";
import type { Area } from "../src/model/mappings.ts";
import type { Segment } from "../src/model/segments.ts";
import { TextError } from "../src/text/parser.ts";
import type { ConfigSection } from "../src/text/parser.ts";
import { isSection } from "../src/text/writer.ts";

const EXTENTS = 60;

/** Different for each number. */
function uuidOf(kind: string, index: number): string {
  return `${kind.repeat(6)}-aaaa-bbbb-cccc-dddd-${String(index).padStart(4, "0")}-eeeeee`;
}

const tags = fc.uniqueArray(fc.stringMatching(/^[\w+.&#!:=/-]{1,20}$/), { maxLength: 3 });
const name = fc
  .stringMatching(/^[a-zA-Z0-9+_.][a-zA-Z0-9+_.-]{0,20}$/)
  .filter((text) => !/^\.{1,2}$/.test(text));
const policy = fc.constantFrom("", "contiguous", "anywhere", "cling");
const latin = fc.string({ unit: fc.integer({ min: 1, max: 255 }).map((code) => String.fromCharCode(code)) });

function pvOf(index: number, more: { tags: string[]; hint: string; isMissing: boolean }): PhysicalVolume {
  return {
    name: `pv${index}`,
    uuid: uuidOf("p", index),
    deviceHint: more.hint,
    size: 1 << 20,
    dataOffset: 65_536,
    extentCount: EXTENTS,
    status: ["ALLOCATABLE"],
    flags: more.isMissing ? ["MISSING"] : [],
    tags: more.tags,
    isMarkedMissing: more.isMissing,
    section: null,
  };
}

const none: ConfigSection = { entries: new Map(), offset: 0 };

/** Linear and striped segments on extents that nobody has yet, as long as there are any. */
class Extents {
  readonly #next: number[];
  readonly #pvs: readonly PhysicalVolume[];

  constructor(pvs: readonly PhysicalVolume[]) {
    this.#pvs = pvs;
    this.#next = pvs.map(() => 0);
  }

  segment(
    start: number,
    wanted: { stripes: number; length: number; skip: number; tags: string[] },
  ): Segment | null {
    const areas: Area[] = [];
    for (const [index, physicalVolume] of this.#pvs.entries()) {
      if (areas.length === wanted.stripes) break;
      const startExtent = this.#next[index]! + wanted.skip;
      if (startExtent + wanted.length > EXTENTS) continue;
      areas.push({ kind: "physical", physicalVolume, startExtent, extentCount: wanted.length });
      this.#next[index] = startExtent + wanted.length;
    }
    if (areas.length === 0) return null;
    return {
      startExtent: start,
      extentCount: wanted.length * areas.length,
      type: "striped",
      typeFlags: [],
      mapping: { kind: "striped", areas, stripeSize: areas.length > 1 ? 4096 : 0 },
      tags: wanted.tags,
      section: none,
    };
  }
}

const volumes = fc.uniqueArray(
  fc.record({
    name,
    tags,
    allocation: policy,
    status: fc.subarray(["READ", "WRITE", "VISIBLE"]),
    creationTime: fc.nat(2 ** 31),
    segments: fc.array(
      fc.record({
        stripes: fc.integer({ min: 1, max: 3 }),
        length: fc.integer({ min: 1, max: 9 }),
        skip: fc.nat(3),
        tags,
      }),
      { minLength: 1, maxLength: 4 },
    ),
  }),
  { maxLength: 8, selector: (volume) => volume.name },
);

const groups: fc.Arbitrary<VolumeGroup> = fc
  .record({
    name,
    tags,
    allocation: policy,
    seqno: fc.nat(2 ** 32 - 1),
    systemId: fc.constantFrom("", "host"),
    logicalVolumesMax: fc.nat(300),
    metadataCopies: fc.nat(3),
    description: latin,
    creationTime: fc.nat(2 ** 33),
    pvs: fc.array(fc.record({ tags, hint: latin, isMissing: fc.boolean() }), { minLength: 1, maxLength: 4 }),
    volumes,
  })
  .map(({ pvs, volumes: wanted, ...rest }) => {
    const physicalVolumes = pvs.map((more, index) => pvOf(index, more));
    const extents = new Extents(physicalVolumes);
    const logicalVolumes = wanted.flatMap(({ segments, status, ...volume }, index): LogicalVolume[] => {
      let extentCount = 0;
      const made = segments.flatMap((one) => {
        const segment = extents.segment(extentCount, one);
        extentCount += segment?.extentCount ?? 0;
        return segment === null ? [] : [segment];
      });
      return [
        {
          ...volume,
          uuid: uuidOf("l", index),
          status,
          flags: [],
          isVisible: status.includes("VISIBLE"),
          isWritable: status.includes("WRITE"),
          creationHost: volume.creationTime === 0 ? "" : "host",
          extentCount,
          segments: made,
          section: null,
        },
      ];
    });
    return {
      ...rest,
      uuid: uuidOf("g", 0),
      extentSize: 4096,
      status: ["RESIZEABLE", "READ", "WRITE"],
      flags: [],
      lockType: "",
      physicalVolumesMax: 0,
      creationHost: "host",
      physicalVolumes,
      logicalVolumes,
      tree: null,
    };
  });

/** A group without the places its parts were read from. */
function model(group: VolumeGroup): unknown {
  return JSON.parse(
    JSON.stringify(group, (key, value: unknown) => (key === "tree" || key === "section" ? null : value)),
  ) as unknown;
}

function plain({ entries }: ConfigSection): unknown {
  return [...entries].map(([key, { value }]) => [key, isSection(value) ? plain(value) : value]);
}

test.prop([groups, fc.constantFrom("disk" as const, "file" as const)])(
  "a group that was encoded is decoded to the same, through its bytes",
  (group, style) => {
    const text = encodeGroupText({ ...group, tree: null }, { ...group, description: "" }, style);
    const again = decodeGroup(identifyGroup(textOf(bytesOf(text))));
    expect(model(again)).toEqual(model({ ...group, description: "" }));
    expect(plain(encodeGroup(again))).toEqual(plain(again.tree!));
  },
);

test("what people write in any language is in the text as UTF-8, and what was on the disk stays", () => {
  const group = decodeGroup(identifyGroup(everyType));
  const hints = ["/données", "/\u20ac"];
  const physicalVolumes = group.physicalVolumes.map((pv, index) => ({
    ...pv,
    deviceHint: hints[index] ?? "\xff",
  }));
  const text = encodeGroupText(
    { ...group, physicalVolumes },
    { description: "crée \u20ac", creationHost: "h\u00f4te", creationTime: 1 },
  );
  const utf8 = (part: string): string => textOf(new TextEncoder().encode(part));
  const again = decodeGroup(identifyGroup(textOf(bytesOf(text))));
  expect(again.description).toBe(utf8("crée \u20ac"));
  expect(again.creationHost).toBe(utf8("h\u00f4te"));
  expect(again.physicalVolumes.map(({ deviceHint }) => deviceHint)).toEqual([
    "/données",
    utf8("/\u20ac"),
    ...Array<string>(4).fill("\xff"),
  ]);
});

const everyType = textOf(new Uint8Array(readFileSync(new URL("texts/every-type.disk.txt", import.meta.url))));
const lines = everyType.split("\n");

type Edit = readonly [kind: string, line: number, other: number, value: string];
const edits: fc.Arbitrary<readonly Edit[]> = fc.array(
  fc.tuple(
    fc.constantFrom("drop", "repeat", "swap", "value", "cut", "word"),
    fc.nat(lines.length - 1),
    fc.nat(lines.length - 1),
    fc.oneof(
      fc.constantFrom(
        "0",
        "-1",
        "4294967295",
        "4294967296",
        "1152921504606846976",
        "1e9",
        "[]",
        "[1]",
        '""',
        "{ }",
      ),
      fc.constantFrom(
        '"pv0"',
        '"vg"',
        '"r5_rimage_0"',
        '["READ"]',
        '"raid6"',
        '"mirror"',
        '"thin"',
        '"snapshot"',
      ),
      fc.stringMatching(/^[a-zA-Z0-9"{}[\]=#\\]{0,5}$/),
    ),
  ),
  { minLength: 1, maxLength: 4 },
);

function edited(list: readonly Edit[]): string {
  const made = [...lines];
  for (const [kind, line, other, value] of list) {
    const text = made[line] ?? "";
    if (kind === "drop") made.splice(line, 1);
    else if (kind === "repeat") made.splice(line, 0, text);
    else if (kind === "swap") [made[line], made[other]] = [made[other] ?? "", text];
    else if (kind === "value") made[line] = text.replace(/= .*/, `= ${value}`);
    else if (kind === "cut") made.splice(Math.min(line, other), 1 + (Math.abs(line - other) % 40));
    else made[line] = text.replace(/\w+/, value);
  }
  return made.join("\n");
}

test.prop([edits], { numRuns: 200 })(
  "a text that somebody edited is accepted as a whole, and written back as it is, or refused with line and column",
  (list) => {
    let group;
    try {
      group = decodeGroup(identifyGroup(edited(list)));
    } catch (error) {
      expect(error).toBeInstanceOf(TextError);
      expect((error as TextError).message).toMatch(/^line \d+, column \d+: /);
      return;
    }
    expect(plain(encodeGroup(group))).toEqual(plain(group.tree!));
  },
);
