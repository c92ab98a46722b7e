import { MetadataError } from "@cev/core";
import { MDA_HEADER_LENGTH, decodeMdaHeader, isIgnored, textByteOffset, textRanges } from "./mda.ts";
import type { ByteRange, MdaHeader, TextLocation } from "./mda.ts";
import { SECTOR, areEqual, textOf } from "./bytes.ts";
import type { StructurePlace } from "./bytes.ts";
import { lvmCrc } from "./crc.ts";
import { LABEL_SECTOR_COUNT, findLabel } from "./label.ts";
import type { DiskArea, PvLabel } from "./label.ts";
import { identifyGroup } from "../model/group.ts";
import type { GroupIdentity } from "../model/group.ts";
import { TextError } from "../text/parser.ts";

const COMPARE_LENGTH = 128 * 1024;
/** So many devices are read at once. */
const CONCURRENCY = 8;

/** A device as the scan sees it. */
export interface ScanSource {
  /** As the user called it. */
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  read(offset: number, length: number): Promise<Uint8Array>;
  /** The same into memory that is there already. */
  readInto?(offset: number, bytes: Uint8Array): Promise<void>;
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

/** A text whose checksum was right, and which group it describes. */
interface KnownText {
  /** As on the device; LVM2 counts the NUL behind a text to it. */
  readonly bytes: Uint8Array;
  readonly identity: GroupIdentity;
}

/**
 * Texts that were checked and parsed already: in a group of many physical volumes all copies are the same. A copy is still
 * read and compared in full, so that damage to it is seen.
 */
export class TextCache {
  readonly #texts = new Map<string, Promise<KnownText | null>>();

  /**
   * The group that a copy describes. Null: the checksum is wrong. Throws a `TextError`. `read`: reads all of it; `isSame`: reads
   * it in parts and compares.
   */
  async identify(
    { size, checksum }: TextLocation,
    read: () => Promise<Uint8Array>,
    isSame: (bytes: Uint8Array) => Promise<boolean>,
  ): Promise<GroupIdentity | null> {
    const key = `${size} ${checksum}`;
    const pending = this.#texts.get(key);
    if (pending !== undefined) {
      const known = await pending.catch(() => null);
      if (known !== null && (await isSame(known.bytes))) return known.identity;
      return parsed(await read(), checksum)?.identity ?? null;
    }
    const first = read().then((bytes) => parsed(bytes, checksum));
    this.#texts.set(key, first);
    try {
      const known = await first;
      if (known === null) this.#texts.delete(key);
      return known?.identity ?? null;
    } catch (error) {
      this.#texts.delete(key);
      throw error;
    }
  }
}

function parsed(bytes: Uint8Array, checksum: number): KnownText | null {
  if (lvmCrc(bytes) !== checksum) return null;
  const end = bytes.at(-1) === 0 ? bytes.length - 1 : bytes.length;
  return { bytes, identity: identifyGroup(textOf(bytes.subarray(0, end))) };
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

/**
 * Scans several devices at once, and gives what each came to in their order: null for one without a label, the error for one
 * whose label cannot be accepted. Throws other errors.
 */
export async function scanPhysicalVolumes(
  sources: readonly ScanSource[],
): Promise<(PvScan | MetadataError | null)[]> {
  const texts = new TextCache();
  const results: (PvScan | MetadataError | null)[] = [];
  let next = 0;
  const failures: unknown[] = [];
  const work = async (): Promise<void> => {
    for (let index = next++; index < sources.length && failures.length === 0; index = next++) {
      try {
        results[index] = await scanPhysicalVolume(sources[index]!, texts);
      } catch (error) {
        if (error instanceof MetadataError) results[index] = error;
        else failures.push(error);
      }
    }
  };
  // Whoever is told of a failure may close the devices: nothing may be under way on them then.
  await Promise.all(Array.from({ length: CONCURRENCY }, work));
  if (failures.length > 0) throw failures[0];
  return results;
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
  const copy = { source: source.name, structure: place.structure, ranges };
  let identity: GroupIdentity | null;
  try {
    identity = await texts.identify(
      location,
      () => readRanges(source, ranges),
      (bytes) => isSameText(source, ranges, bytes),
    );
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

/** Reads a text in parts that stay in the processor's cache, and compares them with one that is known. */
async function isSameText(
  source: ScanSource,
  ranges: readonly ByteRange[],
  known: Uint8Array,
): Promise<boolean> {
  const memory = source.readInto === undefined ? null : new Uint8Array(COMPARE_LENGTH);
  let at = 0;
  for (const { offset, length } of ranges) {
    for (let done = 0; done < length; done += COMPARE_LENGTH) {
      const partLength = Math.min(COMPARE_LENGTH, length - done);
      const part = memory?.subarray(0, partLength) ?? (await source.read(offset + done, partLength));
      if (memory !== null) await source.readInto?.(offset + done, part);
      if (!areEqual(part, known.subarray(at, at + partLength))) return false;
      at += partLength;
    }
  }
  return true;
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
