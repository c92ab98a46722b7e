import { CevError, MetadataError, assert } from "@cev/core";
import { decodeGroup, identifyGroup } from "../model/group.ts";
import type { PhysicalVolume } from "../model/group.ts";
import { SECTOR, bytesOf } from "./bytes.ts";
import { lvmCrc } from "./crc.ts";
import { LABEL_SECTOR_COUNT } from "./label.ts";
import type { MdaHeader, TextLocation } from "./mda.ts";
import { nextTextOffset, overlapsCommitted, textSizeMax, textWrites } from "./ring.ts";
import type { AreaScan, PvScan } from "./scan.ts";
import { dashUuid } from "./uuid.ts";

/** A header and a sector for a text. */
const AREA_SIZE_MIN = 2 * SECTOR;

/** Bytes that go to one place of a device. */
export interface DiskWrite {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** What a commit does to one metadata area. */
export interface AreaCommit {
  readonly scan: PvScan;
  readonly area: AreaScan;
  /** As it is on disk; of a damaged one that is to be repaired, as it is to be without any text. */
  readonly header: MdaHeader;
  /** Where the new text lies. */
  readonly location: TextLocation;
  readonly textWrites: readonly DiskWrite[];
}

/** An area that a commit leaves as it is. */
export interface SkippedArea {
  readonly scan: PvScan;
  readonly area: AreaScan;
  /** "ignored": marked as not in use; "damaged": it would have to be repaired. */
  readonly reason: "ignored" | "damaged";
}

/** What a commit writes, and what it leaves. */
export interface CommitPlan {
  /** Name of the group. */
  readonly group: string;
  readonly seqno: number;
  readonly areas: readonly AreaCommit[];
  readonly skipped: readonly SkippedArea[];
}

/** What to commit. */
export interface CommitRequest {
  /** All physical volumes of the group that are here. Those that the new text does not list are left alone. */
  readonly scans: readonly PvScan[];
  /** As `encodeGroupText` makes it. */
  readonly text: string;
  /** Areas whose header or text is damaged get new ones, as `vgck --updatemetadata` does; otherwise they are skipped. */
  readonly isRepairing?: boolean;
}

/**
 * Works out where a new text goes, without writing. Throws `CEV_NO_SPACE` where an area is too small for it, `CEV_DEGRADED` where no
 * area is left to write to, `CEV_INVALID` for a text that is not the next of this group, and a `TextError` for one that could
 * not be read back; `CEV_BAD_METADATA` for an area that reaches over the label, the extents or another area.
 */
export function planCommit({ scans, text, isRepairing = false }: CommitRequest): CommitPlan {
  const identity = identifyGroup(text);
  // What is written must be what would be accepted from a disk.
  const group = decodeGroup(identity);
  const known = new Map(group.physicalVolumes.map((volume) => [volume.uuid, volume]));
  const bytes = bytesOf(`${text}\0`);
  const checksum = lvmCrc(bytes);
  const areas: AreaCommit[] = [];
  const skipped: SkippedArea[] = [];
  for (const scan of scans) {
    const volume = known.get(dashUuid(scan.label.uuid));
    if (volume === undefined) continue;
    const taken = takenRanges(volume, group.extentSize);
    for (const area of scan.areas) {
      checkOwner(scan, area, group);
      const header = headerFor(scan, area, isRepairing);
      if (header === null) {
        skipped.push({ scan, area, reason: area.isIgnored ? "ignored" : "damaged" });
        continue;
      }
      checkFree(scan, area, header, taken);
      areas.push(planArea(scan, area, header, bytes, checksum));
    }
  }
  if (areas.length === 0)
    throw new CevError("CEV_DEGRADED", `there is no metadata area to write ${group.name} to`, {
      hint: "every area that is here is damaged or marked as not in use",
    });
  return { group: group.name, seqno: group.seqno, areas, skipped };
}

function checkOwner(
  scan: PvScan,
  { copy }: AreaScan,
  group: { readonly name: string; readonly uuid: string; readonly seqno: number },
): void {
  if (copy === null) return;
  const { identity, structure } = copy;
  if (identity.uuid !== group.uuid)
    throw new CevError(
      "CEV_INVALID",
      `${scan.source.name} carries the metadata of ${identity.name} (UUID ${identity.uuid}), not those of ${group.name}`,
      { source: scan.source.name, structure },
    );
  if (identity.seqno >= group.seqno)
    throw new CevError(
      "CEV_INVALID",
      `${scan.source.name} has number ${identity.seqno} of ${group.name}; number ${group.seqno} is not newer`,
      { source: scan.source.name, structure, hint: "the group was changed meanwhile: look at it again" },
    );
}

/** What a metadata area may not lie on. */
interface TakenRange {
  readonly what: string;
  readonly start: number;
  readonly end: number;
}

function takenRanges({ dataOffset, extentCount }: PhysicalVolume, extentSize: number): TakenRange[] {
  return [
    { what: "the label", start: 0, end: LABEL_SECTOR_COUNT * SECTOR },
    { what: "the extents", start: dataOffset, end: dataOffset + extentCount * extentSize },
  ];
}

/** Refuses to write into an area that a label puts over something else; the area itself becomes taken. */
function checkFree(scan: PvScan, { index }: AreaScan, { start, size }: MdaHeader, taken: TakenRange[]): void {
  const end = start + size;
  const other = taken.find((range) => start < range.end && range.start < end);
  if (other !== undefined)
    throw new MetadataError(`the area reaches over ${other.what} of the physical volume`, {
      source: scan.source.name,
      structure: `LVM2 metadata area ${index}`,
      byteOffset: start,
    });
  taken.push({ what: `metadata area ${index}`, start, end });
}

/** Null: the area is left alone. */
function headerFor(scan: PvScan, scanned: AreaScan, isRepairing: boolean): MdaHeader | null {
  const { area, header, isIgnored, error } = scanned;
  if (isIgnored) return null;
  if (error === null && header !== null) return header;
  if (!isRepairing || error?.code === "CEV_UNKNOWN_FEATURE") return null;
  // An area that the device has no room for, or that has none for a text, is beyond repair.
  if (area.size < AREA_SIZE_MIN || area.offset + area.size > scan.source.size) return null;
  return { start: area.offset, size: area.size, committed: null, precommitted: null };
}

function planArea(
  scan: PvScan,
  area: AreaScan,
  header: MdaHeader,
  bytes: Uint8Array,
  checksum: number,
): AreaCommit {
  const sizeMax = textSizeMax(header);
  const place = {
    source: scan.source.name,
    structure: `LVM2 metadata area ${area.index}`,
    hint: "remove tags or volumes, or use physical volumes with larger metadata areas",
  };
  if (bytes.length > sizeMax)
    throw new CevError(
      "CEV_NO_SPACE",
      `the metadata have ${bytes.length} bytes, and metadata area ${area.index} of ${scan.source.name} ` +
        `of ${header.size} bytes takes ${Math.max(0, sizeMax)} at most`,
      place,
    );
  const location = { offset: nextTextOffset(header), size: bytes.length, checksum, flags: 0 };
  if (overlapsCommitted(header, location))
    throw new CevError(
      "CEV_NO_SPACE",
      `the metadata have ${bytes.length} bytes, and metadata area ${area.index} of ${scan.source.name} ` +
        `has no such room beside the ${header.committed?.size ?? 0} bytes in force`,
      place,
    );
  assert(location.offset + location.size <= 2 * header.size, "a text wraps once at most");
  return { scan, area, header, location, textWrites: textWrites(header, location.offset, bytes) };
}
