import { MetadataError, assert } from "@cev/core";
import { SECTOR, badField, bytesOf, getOffset, textOf } from "./bytes.ts";
import type { StructurePlace } from "./bytes.ts";
import { lvmCrc } from "./crc.ts";
import { UUID_LENGTH, isUuid } from "./uuid.ts";

/** A label lies in one of this many first sectors. */
export const LABEL_SECTOR_COUNT = 4;

const LABEL_ID = "LABELONE";
const LABEL_TYPE = "LVM2 001";
const AT = { id: 0, sector: 8, crc: 16, offset: 20, type: 24 } as const;
const HEADER_LENGTH = 32;
const CRC_START = AT.offset;
// The physical volume's header, from its own start.
const PV_AT = { uuid: 0, deviceSize: 32, areas: 40 } as const;
const AREA_LENGTH = 16;

/** A range of a physical volume, in bytes. */
export interface DiskArea {
  readonly offset: number;
  /** Zero for the data area: all up to the end of the device. */
  readonly size: number;
}

/** What stands behind the lists of areas, where the label has it (LVM2 2.02.99 and later write it). */
export interface PvExtension {
  readonly version: number;
  /** Bit 0: the physical volume belongs to a group. */
  readonly flags: number;
  readonly bootloaderAreas: readonly DiskArea[];
}

/** The label of a physical volume, with the header that stands in it. */
export interface PvLabel {
  /** The sector it lies in, 0 to 3. */
  readonly sector: number;
  /** 32 characters, without dashes. */
  readonly uuid: string;
  /** Bytes. */
  readonly deviceSize: number;
  readonly dataAreas: readonly DiskArea[];
  readonly metadataAreas: readonly DiskArea[];
  readonly extension: PvExtension | null;
}

/** What was found in the first sectors of a device. */
export interface LabelSearch {
  /** The valid label in the lowest sector; null: none. */
  readonly label: PvLabel | null;
  /** Sectors that look like a label but cannot be accepted. */
  readonly errors: readonly MetadataError[];
  /** Sectors with further valid labels, which are ignored, as LVM2 does. */
  readonly ignoredSectors: readonly number[];
}

/** Looks for a label in the first four sectors of a device. */
export function findLabel(bytes: Uint8Array, source: string): LabelSearch {
  let label: PvLabel | null = null;
  const errors: MetadataError[] = [];
  const ignoredSectors: number[] = [];
  for (let sector = 0; sector < LABEL_SECTOR_COUNT && (sector + 1) * SECTOR <= bytes.length; sector++) {
    const part = bytes.subarray(sector * SECTOR, (sector + 1) * SECTOR);
    if (!isLabelSector(part)) continue;
    try {
      const found = decodeLabel(part, sector, source);
      if (label === null) label = found;
      else ignoredSectors.push(sector);
    } catch (error) {
      if (!(error instanceof MetadataError)) throw error;
      errors.push(error);
    }
  }
  return { label, errors, ignoredSectors };
}

/** True where the identification or the type is that of a label: one of them may be damaged. */
export function isLabelSector(bytes: Uint8Array): boolean {
  return textAt(bytes, AT.id, 8) === LABEL_ID || textAt(bytes, AT.type, 8) === LABEL_TYPE;
}

/** Decodes the label in one sector. Throws `CEV_BAD_METADATA`. */
export function decodeLabel(bytes: Uint8Array, sector: number, source: string): PvLabel {
  const place = { source, structure: `LVM2 label in sector ${sector}`, byteOffset: sector * SECTOR };
  const view = new DataView(bytes.buffer, bytes.byteOffset, SECTOR);
  if (textAt(bytes, AT.id, 8) !== LABEL_ID)
    throw badField(place, "id", AT.id, `the label does not begin with ${LABEL_ID}`);
  const crc = lvmCrc(bytes.subarray(CRC_START, SECTOR));
  if (view.getUint32(AT.crc, true) !== crc) throw badField(place, "crc", AT.crc, "the checksum is wrong");
  if (view.getBigUint64(AT.sector, true) !== BigInt(sector))
    throw badField(
      place,
      "sector",
      AT.sector,
      `the label says it belongs into sector ${view.getBigUint64(AT.sector, true)}`,
    );
  if (textAt(bytes, AT.type, 8) !== LABEL_TYPE)
    throw badField(place, "type", AT.type, `the label is not of the type ${LABEL_TYPE}`);
  const start = view.getUint32(AT.offset, true);
  if (start < HEADER_LENGTH || start > SECTOR - PV_AT.areas)
    throw badField(place, "offset", AT.offset, `no physical volume header fits at ${start} in the label`);
  return { sector, ...decodePvHeader(view, start, place) };
}

function decodePvHeader(view: DataView, start: number, place: StructurePlace): Omit<PvLabel, "sector"> {
  const bytes = new Uint8Array(view.buffer, view.byteOffset, SECTOR);
  const uuid = textAt(bytes, start + PV_AT.uuid, UUID_LENGTH);
  if (!isUuid(uuid)) throw badField(place, "pv_uuid", start + PV_AT.uuid, "this is not a UUID");
  const deviceSize = getOffset(view, start + PV_AT.deviceSize);
  if (deviceSize < 0)
    throw badField(place, "device_size", start + PV_AT.deviceSize, "no device is that large");
  const data = decodeAreas(view, start + PV_AT.areas, "data area", place);
  const metadata = decodeAreas(view, data.end, "metadata area", place);
  return {
    uuid,
    deviceSize,
    dataAreas: data.areas,
    metadataAreas: metadata.areas,
    extension: decodeExtension(view, metadata.end, place),
  };
}

function decodeExtension(view: DataView, at: number, place: StructurePlace): PvExtension | null {
  if (at + 8 > SECTOR) return null;
  const version = view.getUint32(at, true);
  if (version === 0) return null;
  const { areas } = decodeAreas(view, at + 8, "bootloader area", place);
  return { version, flags: view.getUint32(at + 4, true), bootloaderAreas: areas };
}

/** A list of areas that ends with one at offset 0. */
function decodeAreas(
  view: DataView,
  start: number,
  name: string,
  place: StructurePlace,
): { readonly areas: DiskArea[]; readonly end: number } {
  const areas: DiskArea[] = [];
  for (let at = start; at + AREA_LENGTH <= SECTOR; at += AREA_LENGTH) {
    const offset = getOffset(view, at);
    const size = getOffset(view, at + 8);
    if (offset === 0) return { areas, end: at + AREA_LENGTH };
    if (offset < 0 || size < 0)
      throw badField(place, `${name} ${areas.length}`, at, "the area lies beyond any device");
    areas.push({ offset, size });
  }
  throw badField(place, name, start, "the list of areas does not end within the sector");
}

/** The sector of a label. The header stands right behind the label's own, as LVM2 writes it. */
export function encodeLabel(label: PvLabel): Uint8Array {
  assert(isUuid(label.uuid), "a label has a UUID of 32 characters");
  assert(label.sector >= 0 && label.sector < LABEL_SECTOR_COUNT, "a label lies in one of the first sectors");
  const bytes = new Uint8Array(SECTOR);
  const view = new DataView(bytes.buffer);
  bytes.set(bytesOf(LABEL_ID), AT.id);
  bytes.set(bytesOf(LABEL_TYPE), AT.type);
  view.setBigUint64(AT.sector, BigInt(label.sector), true);
  view.setUint32(AT.offset, HEADER_LENGTH, true);
  bytes.set(bytesOf(label.uuid), HEADER_LENGTH + PV_AT.uuid);
  view.setBigUint64(HEADER_LENGTH + PV_AT.deviceSize, BigInt(label.deviceSize), true);
  let at = HEADER_LENGTH + PV_AT.areas;
  at = encodeAreas(view, at, label.dataAreas);
  at = encodeAreas(view, at, label.metadataAreas);
  if (label.extension !== null) {
    view.setUint32(at, label.extension.version, true);
    view.setUint32(at + 4, label.extension.flags, true);
    encodeAreas(view, at + 8, label.extension.bootloaderAreas);
  }
  view.setUint32(AT.crc, lvmCrc(bytes.subarray(CRC_START)), true);
  return bytes;
}

function encodeAreas(view: DataView, start: number, areas: readonly DiskArea[]): number {
  const end = start + (areas.length + 1) * AREA_LENGTH;
  assert(end <= SECTOR, "the lists of areas fit into the label's sector");
  areas.forEach(({ offset, size }, index) => {
    view.setBigUint64(start + index * AREA_LENGTH, BigInt(offset), true);
    view.setBigUint64(start + index * AREA_LENGTH + 8, BigInt(size), true);
  });
  return end;
}

function textAt(bytes: Uint8Array, at: number, length: number): string {
  return textOf(bytes.subarray(at, at + length));
}
