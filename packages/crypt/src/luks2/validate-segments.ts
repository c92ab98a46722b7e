import type { JsonField } from "./json-field.ts";
import { hasReencryption } from "./requirements.ts";

const UINT32_MAX = 0xffff_ffff;

/** The facts of a segment that the checks of all of them together need. */
interface Segment {
  readonly field: JsonField;
  readonly offset: bigint;
  /** Null: to the end of the device. */
  readonly size: bigint | null;
  readonly isBackup: boolean;
}

/**
 * Checks the segments: regular ones, numbered from 0 without a gap and not overlapping, then backups of what they were or shall be
 * (during reencryption). Returns where the data begins; 0 where the header is detached.
 */
export function validateSegments(root: JsonField): bigint {
  const field = root.member("segments");
  const digested = new Set(
    root
      .member("digests")
      .members()
      .flatMap(([, digest]) =>
        digest
          .member("segments")
          .items()
          .map((item) => item.string()),
      ),
  );
  const all = new Map<string, Segment>();
  for (const [name, segment] of field.numberedMembers())
    all.set(name, validateSegment(segment, digested.has(name)));
  if (all.size === 0) throw field.bad("there is no segment");
  const sorted = inOrder(field, all);
  const regular = sorted.filter(({ isBackup }) => !isBackup);
  const backup = sorted.slice(regular.length);
  if (regular.length === 0) throw field.bad("there is none but backup segments");
  for (const segment of backup)
    if (!segment.isBackup) throw segment.field.bad("a regular segment stands behind a backup segment");
  checkOverlaps(regular);
  if (hasReencryption(root.member("config"))) checkReencryption(field, regular, backup);
  return regular.map(({ offset }) => offset).reduce((left, right) => (left < right ? left : right));
}

/** Numbered from 0 on without a gap. */
function inOrder(field: JsonField, all: ReadonlyMap<string, Segment>): Segment[] {
  return Array.from({ length: all.size }, (_, index) => {
    const segment = all.get(String(index));
    if (segment === undefined) throw field.bad(`there is no segment ${index}`);
    return segment;
  });
}

function validateSegment(field: JsonField, hasDigest: boolean): Segment {
  const type = field.member("type").name();
  const offset = field.member("offset").bigDecimal();
  const size = validateSize(field.member("size"));
  if (offset % 512n !== 0n) throw field.member("offset").bad("is not a multiple of 512");
  const flags = flagsOf(field);
  if (type === "crypt" || type === "hw-opal-crypt") validateCrypt(field, size, hasDigest);
  if (type.startsWith("hw-opal")) validateOpal(field, size);
  return { field, offset, size, isBackup: flags.some((flag) => flag.startsWith("backup-")) };
}

function validateSize(field: JsonField): bigint | null {
  if (field.string() === "dynamic") return null;
  const size = field.bigDecimal();
  if (size === 0n) throw field.bad("is 0");
  if (size % 512n !== 0n) throw field.bad("is not a multiple of 512");
  return size;
}

function flagsOf(field: JsonField): string[] {
  const flags = field.member("flags");
  return flags.isMissing ? [] : flags.items().map((flag) => flag.string());
}

function validateCrypt(field: JsonField, size: bigint | null, hasDigest: boolean): void {
  field.member("iv_tweak").bigDecimal();
  field.member("encryption").name();
  const integrity = field.member("integrity");
  if (!integrity.isMissing)
    for (const name of ["type", "journal_encryption", "journal_integrity"]) integrity.member(name).name();
  const sectorSize = field.member("sector_size");
  const bytes = sectorSize.integer(1, UINT32_MAX);
  if (bytes % 512 !== 0) throw sectorSize.bad("is not a multiple of 512");
  if (size !== null && size % BigInt(bytes) !== 0n)
    throw field.member("size").bad(`is not a multiple of the sector size ${bytes}`);
  if (!hasDigest) throw field.bad("no digest belongs to this segment");
}

function validateOpal(field: JsonField, size: bigint | null): void {
  if (size === null) throw field.member("size").bad('cannot be "dynamic" for a segment of this type');
  field.member("opal_segment_number").bigInteger();
  field.member("opal_key_size").bigInteger();
  const whole = field.member("opal_segment_size");
  if (whole.bigDecimal() < size) throw whole.bad("is less than the segment");
}

function checkOverlaps(segments: readonly Segment[]): void {
  const endOf = ({ offset, size }: Segment): bigint => (size === null ? 2n ** 64n : offset + size);
  for (const [index, segment] of segments.entries()) {
    if (segment.size === null && index < segments.length - 1)
      throw segment.field.member("size").bad('only the last segment can be "dynamic"');
    if (segments.length > 1 && endOf(segment) > 2n ** 64n)
      throw segment.field.bad("ends behind what 64 bits can hold");
    for (const other of segments)
      if (other !== segment && segment.offset >= other.offset && segment.offset < endOf(other))
        throw segment.field.bad("overlaps another segment");
  }
}

/** During reencryption each segment is as it was or as it shall be; the backup segments tell which that is. */
function checkReencryption(field: JsonField, regular: readonly Segment[], backup: readonly Segment[]): void {
  const flagged = (flag: string): Segment | undefined =>
    backup.findLast((segment) => flagsOf(segment.field).includes(flag));
  const final = flagged("backup-final");
  const previous = backup.findLast(
    (segment) =>
      flagsOf(segment.field).includes("backup-previous") && !flagsOf(segment.field).includes("backup-final"),
  );
  if (final === undefined || previous === undefined) throw field.bad("a backup segment is missing");
  for (const segment of regular) {
    const isLikeFinal = isLike(segment, final);
    const isUnderWay = flagsOf(segment.field).includes("in-reencryption");
    if (!isLikeFinal && (isUnderWay || !isLike(segment, previous)))
      throw segment.field.bad("is like none of the backup segments");
  }
}

function isLike(left: Segment, right: Segment): boolean {
  const text = ({ field }: Segment, name: string): string => field.member(name).string();
  if (text(left, "type") !== text(right, "type")) return false;
  if (text(left, "type") !== "crypt") return true;
  const sectorSize = ({ field }: Segment): bigint => field.member("sector_size").bigInteger();
  return sectorSize(left) === sectorSize(right) && text(left, "encryption") === text(right, "encryption");
}
