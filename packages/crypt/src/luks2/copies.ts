import { MetadataError, isCevError } from "@cev/core";
import type { CevError } from "@cev/core";
import {
  BINARY_LENGTH,
  HEADER_SIZES,
  checkHeaderChecksum,
  decodeLuks2Header,
  luksMagicOf,
  luksVersionOf,
} from "./header.ts";
import type { Luks2Header } from "./header.ts";
import { decodeLuks2Metadata } from "./metadata.ts";
import type { Luks2Metadata } from "./metadata.ts";

/** What headers are read from: a `Device`, or a layer. */
export interface HeaderSource {
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  read(offset: number, length: number): Promise<Uint8Array>;
}

/** What a header copy says. */
export interface HeaderContent {
  readonly header: Luks2Header;
  readonly metadata: Luks2Metadata;
  /** The JSON text, with whatever is not known here. */
  readonly json: string;
}

/** One of the two header copies: what it says, or why it cannot be used. */
export interface HeaderCopy {
  readonly byteOffset: number;
  readonly content: HeaderContent | null;
  readonly error: CevError | null;
  /** As soon as the checksum has proved it. */
  readonly sequenceId: bigint | null;
}

type WholeCopy = HeaderCopy & { readonly content: HeaderContent };

/** Both copies of a LUKS2 header, and the one that counts. */
export interface Luks2Copies extends HeaderContent {
  /** In words for people: the copy that is damaged or out of date. Null: both agree. */
  readonly problem: string | null;
}

/**
 * Reads both copies of a LUKS2 header and returns the newer valid one. Null: the device carries none. Throws
 * `CEV_BAD_METADATA` when there is one and neither copy can be used, `CEV_UNKNOWN_FEATURE` for what is not known.
 */
export async function readLuks2Copies(source: HeaderSource): Promise<Luks2Copies | null> {
  const primary = await readCopy(source, 0);
  const secondary = await readSecondary(source, primary);
  if (primary === null && !isWhole(secondary)) return null;
  const best = newer(primary, secondary);
  // A copy that is whole and asks for what is not known here must not be passed over in favour of an older one. One whose
  // checksum was not proved asks for nothing: it is damaged, and the other copy counts.
  for (const copy of [primary, secondary])
    if (
      copy?.error?.code === "CEV_UNKNOWN_FEATURE" &&
      (isProved(copy) || !isWhole(best)) &&
      !isOlder(copy, best)
    )
      throw copy.error;
  if (!isWhole(best))
    throw isUnreadable(primary?.error) ? primary!.error! : bothDamaged(source, primary!, secondary);
  return { ...best.content, problem: problemOf(best, best === primary ? secondary : primary) };
}

/** Null: nothing there looks like a header copy. */
async function readCopy(source: HeaderSource, byteOffset: number): Promise<HeaderCopy | null> {
  if (byteOffset + BINARY_LENGTH > source.size) return null;
  const place = { source: source.name, byteOffset };
  let sequenceId: bigint | null = null;
  try {
    const binary = await source.read(byteOffset, BINARY_LENGTH);
    const magic = luksMagicOf(binary);
    if (magic !== (byteOffset === 0 ? "luks" : "luks2-secondary")) return null;
    const header = decodeLuks2Header(binary, place);
    if (byteOffset + header.headerSize > source.size) throw truncated(place);
    const copy = await source.read(byteOffset, header.headerSize);
    checkHeaderChecksum(header, copy, place);
    sequenceId = header.sequenceId;
    const area = copy.subarray(BINARY_LENGTH);
    const metadata = decodeLuks2Metadata(area, {
      source: source.name,
      structure: "LUKS2 JSON area",
      byteOffset: byteOffset + BINARY_LENGTH,
    });
    return { byteOffset, content: { header, metadata, json: textOf(area) }, error: null, sequenceId };
  } catch (error) {
    if (!isDamage(error)) throw error;
    return { byteOffset, content: null, error, sequenceId };
  }
}

/** The second copy lies right behind the first, wherever that ends; when the first does not say, all places are tried. */
async function readSecondary(source: HeaderSource, primary: HeaderCopy | null): Promise<HeaderCopy | null> {
  if (isWhole(primary)) return readCopy(source, primary.content.header.headerSize);
  let damaged: HeaderCopy | null = null;
  for (const byteOffset of HEADER_SIZES) {
    const copy = await readCopy(source, byteOffset);
    if (isWhole(copy) || (copy?.error?.code === "CEV_UNKNOWN_FEATURE" && isProved(copy))) return copy;
    damaged ??= copy;
  }
  return damaged;
}

function newer(primary: HeaderCopy | null, secondary: HeaderCopy | null): HeaderCopy | null {
  if (!isWhole(secondary)) return primary;
  if (!isWhole(primary)) return secondary;
  return secondary.content.header.sequenceId > primary.content.header.sequenceId ? secondary : primary;
}

function isWhole(copy: HeaderCopy | null): copy is WholeCopy {
  const content = copy === null ? null : copy.content;
  return content !== null;
}

/** Its checksum held, so what it says was meant. */
function isProved(copy: HeaderCopy): boolean {
  return copy.sequenceId !== null;
}

function isOlder(copy: HeaderCopy, best: HeaderCopy | null): boolean {
  return copy.sequenceId !== null && isWhole(best) && copy.sequenceId < best.content.header.sequenceId;
}

function problemOf(best: WholeCopy, other: HeaderCopy | null): string | null {
  const used = `the copy at byte ${best.byteOffset} is used`;
  const next = "run `cryptsetup repair` on the device to restore both";
  if (other === null) {
    const which = best.byteOffset === 0 ? "second" : "first";
    return `the ${which} copy of the LUKS2 header is missing; ${used}; ${next}`;
  }
  if (other.content === null) {
    const where = other.error?.place.byteOffset ?? other.byteOffset;
    const field = other.error?.place.field;
    return (
      `the LUKS2 header at byte ${other.byteOffset} is damaged (${field === undefined ? "" : `${field}, `}` +
      `byte ${where}: ${other.error?.message ?? "unreadable"}); ${used}; ${next}`
    );
  }
  const [newest, oldest] = [best.content.header, other.content.header];
  if (oldest.uuid !== newest.uuid)
    return `the LUKS2 header copy at byte ${other.byteOffset} is of another device (${oldest.uuid}); ${used}; ${next}`;
  if (oldest.sequenceId !== newest.sequenceId) {
    const ages = `(update ${oldest.sequenceId} of ${newest.sequenceId})`;
    return `the LUKS2 header copy at byte ${other.byteOffset} is out of date ${ages}; ${used}; ${next}`;
  }
  return null;
}

function bothDamaged(source: HeaderSource, primary: HeaderCopy, secondary: HeaderCopy | null): CevError {
  const { message, place } = primary.error!;
  const second =
    secondary === null
      ? "a second copy was not found"
      : `the second copy at byte ${secondary.byteOffset} is damaged too: ${secondary.error?.message ?? ""}`;
  return new MetadataError(`${message}; ${second}`, {
    ...place,
    source: source.name,
    structure: place.structure ?? "LUKS2 header",
    hint: "restore the header from a backup",
  });
}

function truncated(place: { readonly source: string; readonly byteOffset: number }): MetadataError {
  return new MetadataError("the device ends within the header", {
    ...place,
    structure: "LUKS2 header",
    field: "hdr_size",
    byteOffset: place.byteOffset + 8,
  });
}

/** True for what makes one copy useless and leaves the other a chance. */
function isDamage(error: unknown): error is CevError {
  if (!isCevError(error)) return false;
  return error.code === "CEV_BAD_METADATA" || error.code === "CEV_UNKNOWN_FEATURE" || isUnreadable(error);
}

function isUnreadable(error: CevError | null | undefined): boolean {
  return error?.code === "CEV_MEDIUM" || error?.code === "CEV_IO";
}

function textOf(area: Uint8Array): string {
  return Buffer.from(area.subarray(0, area.indexOf(0))).toString("utf8");
}

/** Version 1 or 2 of LUKS at the start of the device; null when there is none, or the start cannot be read. One small read. */
export async function luksVersionAtStart(source: HeaderSource): Promise<number | null> {
  if (source.size < BINARY_LENGTH) return null;
  try {
    const start = await source.read(0, 512);
    return luksMagicOf(start) === "luks" ? luksVersionOf(start) : null;
  } catch (error) {
    if (isDamage(error)) return null;
    throw error;
  }
}
