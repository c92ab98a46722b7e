import { lvmCrc } from "../../src/disk/crc.ts";
import { encodeLabel } from "../../src/disk/label.ts";
import { encodeMdaHeader } from "../../src/disk/mda.ts";
import { ImageLayer } from "./image-layer.ts";

const SECTOR = 512;

/** A UUID made of one character, with dashes. */
export function uuidOf(character: string): string {
  return [6, 4, 4, 4, 4, 4, 6].map((length) => character.repeat(length)).join("-");
}

/** What a test wants to see on a physical volume. */
export interface PvRecipe {
  readonly name: string;
  /** With dashes. */
  readonly uuid: string;
  readonly size?: number;
  /** Sector of the label. */
  readonly labelSector?: number;
  /** One metadata area for each, at 4 KiB, 12 KiB…, of 8 KiB; null: an area without a text. */
  readonly texts: readonly (TextRecipe | null)[];
}

export interface TextRecipe {
  readonly text: string;
  /** Where in the ring it begins. */
  readonly offset?: number;
  readonly flags?: number;
}

export const AREA_SIZE = 8192;

/** A physical volume as LVM2 lays it out: data from 64 KiB on, filled with a pattern of its own. */
export function makePv(recipe: PvRecipe): ImageLayer {
  const { name, uuid, size = 1 << 20, labelSector = 1, texts } = recipe;
  const bytes = new Uint8Array(size);
  for (let at = 65_536; at < size; at++)
    bytes[at] = (at * 31 + (at >>> 9) + name.length * 7 + name.charCodeAt(name.length - 1)) & 255;
  const metadataAreas = texts.map((_, index) => ({ offset: 4096 + index * AREA_SIZE, size: AREA_SIZE }));
  bytes.set(
    encodeLabel({
      sector: labelSector,
      uuid: uuid.replaceAll("-", ""),
      deviceSize: size,
      dataAreas: [{ offset: 65_536, size: 0 }],
      metadataAreas,
      extension: { version: 2, flags: 1, bootloaderAreas: [] },
    }),
    labelSector * SECTOR,
  );
  texts.forEach((text, index) => writeArea(bytes, metadataAreas[index]!.offset, text));
  return new ImageLayer(name, bytes);
}

function writeArea(bytes: Uint8Array, start: number, recipe: TextRecipe | null): void {
  let committed = null;
  if (recipe !== null) {
    const { offset = 512, flags = 0 } = recipe;
    const text = new TextEncoder().encode(`${recipe.text}\0`);
    for (const [index, value] of text.entries()) {
      const at = offset + index;
      bytes[start + (at < AREA_SIZE ? at : at - AREA_SIZE + 512)] = value;
    }
    committed = { offset, size: text.length, checksum: lvmCrc(text), flags };
  }
  bytes.set(encodeMdaHeader({ start, size: AREA_SIZE, committed, precommitted: null }), start);
}

/** Extents of 4 KiB, and so many of them that they fit on the megabyte of `makePv`. */
export const EXTENT_SIZE = 4096;
export const EXTENT_COUNT = 240;

export interface GroupRecipe {
  readonly name?: string;
  readonly uuid?: string;
  readonly seqno?: number;
  readonly status?: string;
  /** UUIDs, in the order pv0, pv1… */
  readonly pvs: readonly string[];
  /** The text of each volume's section, by name. */
  readonly volumes: Readonly<Record<string, string>>;
  /** Lines more for the group's section. */
  readonly more?: string;
  /** Lines more for the section of each physical volume. */
  readonly pvMore?: readonly string[];
}

/** The metadata text of a group. */
export function groupText(recipe: GroupRecipe): string {
  const {
    name = "vg0",
    uuid = uuidOf("g"),
    seqno = 1,
    status = '["RESIZEABLE", "READ", "WRITE"]',
    pvs,
    volumes,
    more = "",
    pvMore = [],
  } = recipe;
  const physical = pvs.map(
    (pv, index) => `pv${index} {
id = "${pv}"
device = "/dev/disk${index}"
status = ["ALLOCATABLE"]
${pvMore[index] ?? "flags = []"}
dev_size = 2048
pe_start = 128
pe_count = ${EXTENT_COUNT}
}
`,
  );
  const logical = Object.entries(volumes).map(([volume, body]) => `${volume} {\n${body}\n}\n`);
  return `${name} {
id = "${uuid}"
seqno = ${seqno}
format = "lvm2"
status = ${status}
flags = []
extent_size = ${EXTENT_SIZE / SECTOR}
max_lv = 0
${more}
physical_volumes {
${physical.join("")}}
logical_volumes {
${logical.join("")}}
}
# Made by a test

contents = "Text Format Volume Group"
version = 1
description = ""
creation_host = "test"
creation_time = 1
`;
}

/** The section of a linear volume: places as [extents, physical volume, first extent]. */
export function linear(
  uuid: string,
  places: readonly (readonly [number, string, number])[],
  status = '["READ", "WRITE", "VISIBLE"]',
): string {
  let start = 0;
  const segments = places.map(([count, pv, first], index) => {
    const text = `segment${index + 1} {
start_extent = ${start}
extent_count = ${count}
type = "striped"
stripe_count = 1
stripes = ["${pv}", ${first}]
}`;
    start += count;
    return text;
  });
  return volume(uuid, segments, status);
}

/** The section of a volume with these segments. */
export function volume(
  uuid: string,
  segments: readonly string[],
  status = '["READ", "WRITE", "VISIBLE"]',
): string {
  return `id = "${uuid}"
status = ${status}
flags = []
segment_count = ${segments.length}
${segments.join("\n")}`;
}

/** The section of a single segment with these lines. */
export function segment(lines: string, extentCount = 2): string {
  return `segment1 {
start_extent = 0
extent_count = ${extentCount}
${lines}
}`;
}
