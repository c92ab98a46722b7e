/** How a chunk is stored. */
export const Kind = { hole: 0, raw: 1, zstd: 2, deflate: 3 } as const;
export type Kind = (typeof Kind)[keyof typeof Kind];

/** Bytes of an entry on disk. */
export const ENTRY_LENGTH = 16;
/** Units of a bin; a raw chunk fills one. */
export const BIN_UNITS = 8;

/** Where a chunk is stored, and how. */
export interface Entry {
  readonly kind: Kind;
  /** Counted from the beginning of the data. */
  readonly firstUnit: number;
  readonly unitCount: number;
  /** Bytes. */
  readonly storedLength: number;
  /** CRC-32 of the stored bytes. */
  readonly checksum: number;
}

/** What bounds an entry. */
export interface EntryBounds {
  readonly chunkSize: number;
  readonly binCount: number;
}

export const HOLE: Entry = { kind: Kind.hole, firstUnit: 0, unitCount: 0, storedLength: 0, checksum: 0 };

/** Puts an entry into memory. Little-endian. */
export function encodeEntry(view: DataView, at: number, entry: Entry): void {
  view.setUint32(at, entry.firstUnit % 2 ** 32, true);
  view.setUint16(at + 4, Math.floor(entry.firstUnit / 2 ** 32), true);
  view.setUint8(at + 6, entry.kind);
  view.setUint8(at + 7, entry.unitCount);
  view.setUint32(at + 8, entry.storedLength, true);
  view.setUint32(at + 12, entry.checksum, true);
}

/** Takes an entry that was checked before out of memory. */
export function decodeEntry(view: DataView, at: number): Entry {
  return {
    firstUnit: view.getUint32(at, true) + view.getUint16(at + 4, true) * 2 ** 32,
    kind: view.getUint8(at + 6) as Kind,
    unitCount: view.getUint8(at + 7),
    storedLength: view.getUint32(at + 8, true),
    checksum: view.getUint32(at + 12, true),
  };
}

/** What cannot be accepted about an entry; null: nothing. */
export function entryIssue(entry: Entry, { chunkSize, binCount }: EntryBounds): string | null {
  const { kind, firstUnit, unitCount, storedLength, checksum } = entry;
  const unit = chunkSize / BIN_UNITS;
  if (kind === Kind.hole)
    return firstUnit + unitCount + storedLength + checksum === 0 ? null : "a hole that is stored somewhere";
  if (kind !== Kind.raw && kind !== Kind.zstd && kind !== Kind.deflate)
    return `a chunk stored in the unknown way ${String(kind)}`;
  if (storedLength === 0 || unitCount !== Math.ceil(storedLength / unit))
    return `${storedLength} stored bytes in ${unitCount} units of ${unit}`;
  const within = firstUnit % BIN_UNITS;
  if (kind === Kind.raw ? storedLength !== chunkSize : unitCount >= BIN_UNITS)
    return `${storedLength} stored bytes of a chunk of ${chunkSize}`;
  if (within + unitCount > BIN_UNITS || firstUnit >= binCount * BIN_UNITS)
    return `units ${firstUnit} to ${firstUnit + unitCount - 1}, which are not in one bin of ${binCount}`;
  return null;
}
