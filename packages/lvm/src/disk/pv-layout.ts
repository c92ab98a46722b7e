import { CevError, assert } from "@cev/core";
import { SECTOR } from "./bytes.ts";
import { LABEL_SECTOR_COUNT, encodeLabel, isLabelSector } from "./label.ts";
import type { DiskArea, PvLabel } from "./label.ts";
import { AREA_IGNORED, encodeMdaHeader } from "./mda.ts";
import type { DiskWrite } from "./commit-plan.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
/** The label lies below; data and metadata never do. */
const LABEL_END = LABEL_SECTOR_COUNT * SECTOR;
const PAGE = 4096;
const AREA_SIZE_MIN = 8 * PAGE;
const PV_SIZE_MIN = 2 * MIB;
/** LVM2 empties this much of a new area. */
const AREA_WIPE = 8 * SECTOR;
const AREA_COUNT_MAX = 2;

/** What a new physical volume is to be like; sizes in bytes. All but `size` have LVM2's defaults. */
export interface PvLayoutOptions {
  /** Of the device. */
  readonly size: number;
  /** Metadata areas: none, one at the start, or another at the end. Default 1. */
  readonly metadataCopies?: number | undefined;
  /** Of each metadata area; it grows to the alignment. Default: up to the first MiB. */
  readonly metadataSize?: number | undefined;
  /** The data begin at a multiple of it. Default 1 MiB. */
  readonly dataAlignment?: number | undefined;
  /** Added to the aligned start. Default 0. */
  readonly dataAlignmentOffset?: number | undefined;
  /** Of an area for a bootloader in front of the data. Default: none. */
  readonly bootloaderSize?: number | undefined;
  /** The data begin exactly here, as in a backup that is to be restored. */
  readonly dataOffset?: number | undefined;
}

/** Where the parts of a physical volume lie. */
export interface PvLayout {
  readonly size: number;
  readonly metadataAreas: readonly DiskArea[];
  readonly bootloaderArea: DiskArea | null;
  /** Byte offset of the first extent. */
  readonly dataOffset: number;
}

/**
 * Works out where pvcreate puts things: as LVM2 2.03 does on a device without a topology of its own. Throws `CEV_INVALID` for sizes that
 * make no sense and `CEV_NO_SPACE` for a device too small.
 */
export function layoutPhysicalVolume(options: PvLayoutOptions): PvLayout {
  const { metadataCopies = 1, dataAlignmentOffset = 0, bootloaderSize = 0 } = options;
  checkOptions(options);
  const size = options.size - (options.size % SECTOR);
  const alignment = options.dataAlignment ?? MIB;
  // However small the alignment is, nothing may lie over the label.
  const aligned = Math.ceil(LABEL_END / alignment) * alignment + dataAlignmentOffset;
  if (size < PV_SIZE_MIN || size < aligned + bootloaderSize)
    throw tooSmall(
      `a physical volume needs ${Math.max(PV_SIZE_MIN, aligned + bootloaderSize)} bytes, the device has ${size}`,
    );
  const isLocked = options.dataOffset !== undefined;
  const place: Place = {
    size,
    alignment,
    dataAlignmentOffset,
    isLocked,
    ...dataPlace(options, size, aligned),
  };
  const metadataSize = options.metadataSize ?? MIB - PAGE;
  const areas: DiskArea[] = [];
  if (metadataCopies > 0) {
    const first = firstArea(place, metadataSize);
    areas.push(first);
    if (!isLocked) {
      place.bootloaderOffset = first.offset + first.size;
      place.dataOffset = place.bootloaderOffset + place.bootloaderSize;
    }
  }
  if (metadataCopies > 1) areas.push(lastArea(place, metadataSize));
  const bootloaderArea =
    place.bootloaderSize > 0 ? { offset: place.bootloaderOffset, size: place.bootloaderSize } : null;
  return { size, metadataAreas: areas, bootloaderArea, dataOffset: place.dataOffset };
}

/** What is being worked out; areas shift it. */
interface Place {
  readonly size: number;
  readonly alignment: number;
  readonly dataAlignmentOffset: number;
  /** The data may not move. */
  readonly isLocked: boolean;
  bootloaderOffset: number;
  bootloaderSize: number;
  dataOffset: number;
}

function checkOptions(options: PvLayoutOptions): void {
  const {
    metadataCopies = 1,
    metadataSize,
    dataAlignment,
    dataAlignmentOffset,
    bootloaderSize,
    dataOffset,
  } = options;
  const sizes = { metadataSize, dataAlignment, dataAlignmentOffset, bootloaderSize, dataOffset };
  for (const [name, value] of Object.entries(sizes))
    if (value !== undefined && (!Number.isSafeInteger(value) || value < 0 || value % SECTOR !== 0))
      throw new CevError("CEV_INVALID", `${name} is ${value}, not a number of whole sectors`);
  if (!Number.isInteger(metadataCopies) || metadataCopies < 0 || metadataCopies > AREA_COUNT_MAX)
    throw new CevError("CEV_INVALID", `metadataCopies is ${metadataCopies}, not 0, 1 or 2`);
  if (dataAlignment === 0) throw new CevError("CEV_INVALID", "dataAlignment is 0");
  if ((dataAlignmentOffset ?? 0) > (dataAlignment ?? MIB))
    throw new CevError("CEV_INVALID", "dataAlignmentOffset is larger than dataAlignment");
}

function dataPlace(
  { dataOffset, bootloaderSize = 0, dataAlignment = MIB }: PvLayoutOptions,
  size: number,
  aligned: number,
): Pick<Place, "bootloaderOffset" | "bootloaderSize" | "dataOffset"> {
  if (dataOffset !== undefined) {
    if (dataOffset < LABEL_END)
      throw new CevError("CEV_INVALID", `the data would begin at byte ${dataOffset}, over the label`);
    if (dataOffset > size) throw tooSmall(`the data begin at byte ${dataOffset}, the device has ${size}`);
    if (bootloaderSize > 0 && dataOffset - aligned < bootloaderSize)
      throw new CevError("CEV_INVALID", "the bootloader's area does not fit in front of the data");
    return { bootloaderOffset: aligned, bootloaderSize, dataOffset };
  }
  if (bootloaderSize === 0) return { bootloaderOffset: 0, bootloaderSize, dataOffset: aligned };
  // The offset of the alignment counts once, in front of the bootloader's area.
  const rounded = Math.min(bootloaderSize + restTo(bootloaderSize, dataAlignment), size - aligned);
  return { bootloaderOffset: aligned, bootloaderSize: rounded, dataOffset: aligned + rounded };
}

/** The area at the start: from the first page up to the data, which move where they may. */
function firstArea(place: Place, wanted: number): DiskArea {
  const { size, alignment, dataAlignmentOffset, isLocked, bootloaderSize } = place;
  const lockedLimit = bootloaderSize > 0 ? place.bootloaderOffset : place.dataOffset;
  const limit = isLocked ? lockedLimit : size - bootloaderSize;
  const offset = limit - LABEL_END >= AREA_SIZE_MIN ? PAGE : LABEL_END;
  let areaSize = wanted;
  const grow = (by: number): void => {
    if (by > 0 && offset + areaSize + by <= limit) areaSize += by;
  };
  grow(restTo(offset + areaSize, alignment));
  if ((offset + areaSize) % alignment === 0) grow(dataAlignmentOffset);
  if (offset + areaSize > limit) {
    if (!isLocked && limit - offset > 2 * alignment) {
      areaSize = limit - offset - 2 * alignment;
      areaSize += restTo(offset + areaSize, alignment);
    } else {
      areaSize = limit - offset;
    }
  }
  return checkedArea({ offset, size: areaSize }, limit);
}

/** The area at the end of the device, as far as the data may not begin there. */
function lastArea({ size, alignment, dataOffset }: Place, wanted: number): DiskArea {
  let areaSize = Math.min(wanted, size - dataOffset);
  const before = (size - areaSize) % alignment;
  if (areaSize === wanted && size - areaSize - before >= dataOffset) areaSize += before;
  return checkedArea({ offset: size - areaSize, size: areaSize }, size);
}

function restTo(offset: number, alignment: number): number {
  return (alignment - (offset % alignment)) % alignment;
}

function checkedArea(area: DiskArea, limit: number): DiskArea {
  if (area.size < AREA_SIZE_MIN || area.offset + area.size > limit)
    throw tooSmall(
      `there is room for a metadata area of ${Math.max(0, area.size)} bytes, and it needs ${AREA_SIZE_MIN}`,
    );
  return area;
}

function tooSmall(message: string): CevError {
  return new CevError("CEV_NO_SPACE", message);
}

/** The metadata area behind the data; null: there is none. On a small device it begins right where the data would. */
export function lastAreaOf({ metadataAreas, dataOffset }: PvLayout): DiskArea | null {
  return metadataAreas.find(({ offset }) => offset >= dataOffset) ?? null;
}

/** How many extents fit on a physical volume. Sizes in bytes. */
export function extentCountOf(layout: PvLayout, extentSize: number): number {
  assert(extentSize >= SECTOR && extentSize % SECTOR === 0, "extents are whole sectors");
  const last = layout.metadataAreas.find(({ offset }) => offset >= layout.dataOffset);
  const end = last?.offset ?? layout.size;
  return Math.max(0, Math.floor((end - layout.dataOffset) / extentSize));
}

/** What a label says of a layout that is there already. */
export function layoutOf(label: PvLabel): PvLayout {
  const [bootloaderArea = null] = label.extension?.bootloaderAreas ?? [];
  return {
    size: label.deviceSize,
    metadataAreas: label.metadataAreas,
    bootloaderArea,
    dataOffset: label.dataAreas[0]?.offset ?? 0,
  };
}

const EXTENSION_VERSION = 2;
const EXTENSION_USED = 1;

/** The label of a new physical volume, which belongs to no group. `uuid`: with or without dashes. */
export function labelFor(layout: PvLayout, uuid: string, sector = 1): PvLabel {
  return {
    sector,
    uuid: uuid.replaceAll("-", ""),
    deviceSize: layout.size,
    dataAreas: [{ offset: layout.dataOffset, size: 0 }],
    metadataAreas: layout.metadataAreas,
    extension: {
      version: EXTENSION_VERSION,
      flags: 0,
      bootloaderAreas: layout.bootloaderArea === null ? [] : [layout.bootloaderArea],
    },
  };
}

/** The label with the mark that its physical volume belongs to a group, or without it. */
export function withUse(label: PvLabel, isUsed: boolean): PvLabel {
  const { flags = 0, bootloaderAreas = [] } = label.extension ?? {};
  return {
    ...label,
    extension: {
      version: EXTENSION_VERSION,
      flags: isUsed ? flags | EXTENSION_USED : flags & ~EXTENSION_USED,
      bootloaderAreas,
    },
  };
}

/** Writes a label over the one in its sector. */
export function labelWrite(label: PvLabel): DiskWrite {
  return { offset: label.sector * SECTOR, bytes: encodeLabel(label) };
}

/** Makes a metadata area one without any text; what lies in its ring stays. `isIgnored`: it stays out of use. */
export function clearedArea(area: DiskArea, isIgnored = false): DiskWrite {
  const flags = isIgnored ? AREA_IGNORED : 0;
  const header = { start: area.offset, size: area.size, committed: null, precommitted: null, flags };
  return { offset: area.offset, bytes: encodeMdaHeader(header) };
}

/**
 * What makes a physical volume of a device, in rounds that are each to be flushed before the next: old labels go, the areas are
 * made empty, and only then the new label says that they are there.
 */
export function creationRounds(label: PvLabel): readonly (readonly DiskWrite[])[] {
  return [
    [{ offset: 0, bytes: new Uint8Array(LABEL_END) }],
    label.metadataAreas.map((area) => {
      const bytes = new Uint8Array(Math.min(AREA_WIPE, area.size));
      bytes.set(clearedArea(area).bytes);
      return { offset: area.offset, bytes };
    }),
    [labelWrite(label)],
  ];
}

/**
 * What makes a device one that is no physical volume: the sectors that hold a label, damaged ones included, become zero. `bytes`: its
 * first sectors.
 */
export function removalWrites(bytes: Uint8Array): readonly DiskWrite[] {
  const writes: DiskWrite[] = [];
  for (let sector = 0; sector < LABEL_SECTOR_COUNT; sector++) {
    const offset = sector * SECTOR;
    if (isLabelSector(bytes.subarray(offset, offset + SECTOR)))
      writes.push({ offset, bytes: new Uint8Array(SECTOR) });
  }
  return writes;
}
