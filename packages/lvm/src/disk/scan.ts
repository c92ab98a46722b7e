import { MetadataError } from "@cev/core";
import { MDA_HEADER_LENGTH, decodeMdaHeader, isIgnored, textByteOffset, textRanges } from "./mda.ts";
import type { ByteRange, MdaHeader } from "./mda.ts";
import { SECTOR, areEqual, textOf } from "./bytes.ts";
import type { StructurePlace } from "./bytes.ts";
import { lvmCrc } from "./crc.ts";
import { LABEL_SECTOR_COUNT, findLabel } from "./label.ts";
import type { DiskArea, PvLabel } from "./label.ts";
import { identifyGroup } from "../model/group.ts";
import type { GroupIdentity } from "../model/group.ts";
import { TextError } from "../text/parser.ts";

/** A device as the scan sees it. */
export interface ScanSource {
  /** As the user called it. */
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  read(offset: number, length: number): Promise<Uint8Array>;
}

/** One copy of a group's metadata, whole and parsed. */
export interface MetadataCopy {
  /** The device it was read from. */
  readonly source: string;
  /** "LVM2 metadata area 0". */
  readonly structure: string;
  readonly identity: GroupIdentity;
  /** Where the text lies on the device. */
  readonly ranges: readonly ByteRange[];
}

/** One metadata area of a physical volume. */
export interface AreaScan {
  /** Counts from 0 within the physical volume. */
  readonly index: number;
  readonly area: DiskArea;
  /** Null: damaged. */
  readonly header: MdaHeader | null;
  /** Marked as not in use; its text is not looked at. */
  readonly isIgnored: boolean;
  /** Null: there is no text, or none that can be accepted. */
  readonly copy: MetadataCopy | null;
  readonly error: MetadataError | null;
}

/** A physical volume with all that its own metadata says. */
export interface PvScan {
  readonly source: ScanSource;
  readonly label: PvLabel;
  /** Sectors beside the valid label's that look like a label but are damaged. */
  readonly labelErrors: readonly MetadataError[];
  readonly ignoredLabelSectors: readonly number[];
  readonly areas: readonly AreaScan[];
}

/** Texts that were checked and parsed already: in a group of many physical volumes all copies are the same. */
export class TextCache {
  readonly #texts: {
    readonly bytes: Uint8Array;
    readonly checksum: number;
    readonly identity: GroupIdentity;
  }[] = [];

  /** Null: the checksum is wrong. `bytes`: as on the device; LVM2 counts the NUL behind a text to it. */
  identify(bytes: Uint8Array, checksum: number): GroupIdentity | null {
    const known = this.#texts.find((one) => one.checksum === checksum && areEqual(one.bytes, bytes));
    if (known !== undefined) return known.identity;
    if (lvmCrc(bytes) !== checksum) return null;
    const end = bytes.at(-1) === 0 ? bytes.length - 1 : bytes.length;
    const identity = identifyGroup(textOf(bytes.subarray(0, end)));
    this.#texts.push({ bytes, checksum, identity });
    return identity;
  }
}

/**
 * Reads the label and all metadata areas of a device. Null: it carries no label. Throws `CEV_BAD_METADATA` where it
 * carries one that cannot be accepted; what is wrong with an area is said in its `error`.
 */
export async function scanPhysicalVolume(source: ScanSource, texts: TextCache): Promise<PvScan | null> {
  const length = Math.min(LABEL_SECTOR_COUNT * SECTOR, source.size - (source.size % SECTOR));
  const { label, errors, ignoredSectors } = findLabel(await source.read(0, length), source.name);
  if (label === null) {
    if (errors[0] !== undefined) throw errors[0];
    return null;
  }
  const areas: AreaScan[] = [];
  for (const [index, area] of label.metadataAreas.entries())
    areas.push(await scanArea(source, index, area, texts));
  return { source, label, labelErrors: errors, ignoredLabelSectors: ignoredSectors, areas };
}

async function scanArea(
  source: ScanSource,
  index: number,
  area: DiskArea,
  texts: TextCache,
): Promise<AreaScan> {
  const place = {
    source: source.name,
    structure: `LVM2 metadata area ${index}`,
    byteOffset: area.offset,
  };
  const nothing = { index, area, header: null, isIgnored: false, copy: null };
  let header: MdaHeader | null = null;
  try {
    if (area.offset + MDA_HEADER_LENGTH > source.size)
      throw new MetadataError(`the area lies beyond the end of the device at byte ${source.size}`, place);
    header = decodeMdaHeader(await source.read(area.offset, MDA_HEADER_LENGTH), place);
    if (area.offset + header.size > source.size)
      throw new MetadataError(`the area passes the end of the device at byte ${source.size}`, place);
    const ignored = isIgnored(header);
    const copy = ignored ? null : await readCopy(source, header, place, texts);
    return { index, area, header, isIgnored: ignored, copy, error: null };
  } catch (error) {
    if (!(error instanceof MetadataError)) throw error;
    return { ...nothing, header, error };
  }
}

async function readCopy(
  source: ScanSource,
  header: MdaHeader,
  place: StructurePlace,
  texts: TextCache,
): Promise<MetadataCopy | null> {
  const location = header.committed;
  if (location === null) return null;
  const ranges = textRanges(header, location);
  const bytes = await readRanges(source, ranges);
  const copy = { source: source.name, structure: place.structure, ranges };
  let identity: GroupIdentity | null;
  try {
    identity = texts.identify(bytes, location.checksum);
  } catch (error) {
    throw textFault(error, copy);
  }
  if (identity === null)
    throw new MetadataError("the checksum of the text is wrong", {
      ...place,
      field: "text",
      byteOffset: ranges[0]!.offset,
    });
  return { ...copy, identity };
}

async function readRanges(source: ScanSource, ranges: readonly ByteRange[]): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for (const { offset, length } of ranges) parts.push(await source.read(offset, length));
  const [only] = parts;
  if (parts.length === 1 && only !== undefined) return only;
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** What a `TextError` is outside: an error that names the device, the area and the byte, with line and column in its message. */
export function textFault(
  error: unknown,
  copy: { readonly source: string; readonly structure: string; readonly ranges: readonly ByteRange[] },
): unknown {
  if (!(error instanceof TextError)) return error;
  return new MetadataError(error.message, {
    source: copy.source,
    structure: copy.structure,
    field: "text",
    byteOffset: textByteOffset(copy.ranges, error.offset),
  });
}
