import { MetadataError } from "@cev/core";
import type { CevError } from "@cev/core";
import type { LuksVolume } from "../header/luks-volume.ts";
import type { CopyName } from "./commit.ts";
import { BINARY_LENGTH, HEADER_SIZES, luksMagicOf, luksVersionOf } from "./header.ts";
import { decodeLuks2Metadata } from "./metadata.ts";
import { CopyReader, isDamage, isUnreadable } from "./read-copy.ts";
import type { HeaderContent, HeaderCopy, HeaderSource } from "./read-copy.ts";

export type { HeaderSource } from "./read-copy.ts";

type ValidCopy = HeaderCopy & { readonly content: HeaderContent };

/** Both copies of a LUKS2 header, and the one that counts. */
export interface Luks2Copies extends HeaderContent {
  /** The copy that counts. */
  readonly used: CopyName;
  /** How the other one differs. */
  readonly other: "same" | "outdated" | "foreign" | "damaged" | "missing";
  /** In words for people: the copy that is damaged or out of date. Null: both agree. */
  readonly problem: string | null;
}

/**
 * Reads both copies of a LUKS2 header and returns the newer valid one. Null: the device carries none. Throws
 * `CEV_BAD_METADATA` when there is one and neither copy can be used. Whether the device can be opened is not judged here.
 */
export async function readLuks2Copies(source: HeaderSource): Promise<Luks2Copies | null> {
  const reader = new CopyReader(source);
  const primary = await reader.read(0);
  const secondary = await readSecondary(reader, primary);
  if (primary === null && !isValid(secondary)) return null;
  const best = newer(primary, secondary);
  if (!isValid(best))
    throw isUnreadable(primary?.error) || primary?.error?.code === "CEV_UNKNOWN_FEATURE"
      ? primary!.error!
      : bothDamaged(source, primary!, secondary);
  const content = await reader.contentOf(best);
  checkFits(source, content);
  const [used, rest] =
    best === primary ? (["primary", secondary] as const) : (["secondary", primary] as const);
  return { ...content, used, other: otherOf(best, rest), problem: problemOf(best, rest) };
}

/** What a header says to whoever wants to open the device. Throws `CEV_UNKNOWN_FEATURE` for what is not known here. */
export function luks2VolumeOf({ header, root }: HeaderContent, isKeyNeeded = true): LuksVolume {
  const { uuid, label, subsystem } = header;
  return { version: 2, uuid, label, subsystem, ...decodeLuks2Metadata(root, isKeyNeeded) };
}

/** The second copy lies right behind the first, wherever that ends; when the first does not say, all places are tried. */
async function readSecondary(reader: CopyReader, primary: HeaderCopy | null): Promise<HeaderCopy | null> {
  if (isValid(primary)) return reader.read(primary.content.header.headerSize);
  let damaged: HeaderCopy | null = null;
  for (const byteOffset of HEADER_SIZES) {
    const copy = await reader.read(byteOffset);
    if (isValid(copy)) return copy;
    damaged ??= copy;
  }
  return damaged;
}

function newer(primary: HeaderCopy | null, secondary: HeaderCopy | null): HeaderCopy | null {
  if (!isValid(secondary)) return primary;
  if (!isValid(primary)) return secondary;
  return secondary.content.header.sequenceId > primary.content.header.sequenceId ? secondary : primary;
}

function isValid(copy: HeaderCopy | null): copy is ValidCopy {
  return copy !== null && copy.content !== null;
}

function checkFits(source: HeaderSource, { header, root }: HeaderContent): void {
  const field = root.member("config").member("keyslots_size");
  const end = 2 * header.headerSize + field.decimal();
  if (end > source.size)
    throw field.bad(`the area for keyslots ends at byte ${end}, the device at byte ${source.size}`);
}

function otherOf(best: ValidCopy, other: HeaderCopy | null): Luks2Copies["other"] {
  if (other === null) return "missing";
  if (!isValid(other)) return "damaged";
  // Cut while it was given another UUID, a device has copies with two.
  const hasSameKeys = other.keysFingerprint !== null && other.keysFingerprint === best.keysFingerprint;
  if (other.content.header.uuid !== best.content.header.uuid && !hasSameKeys) return "foreign";
  return other.fingerprint === best.fingerprint ? "same" : "outdated";
}

function problemOf(best: ValidCopy, other: HeaderCopy | null): string | null {
  const used = `the copy at byte ${best.byteOffset} is used`;
  const next = "run `cev crypt repair` on the device to restore both";
  switch (otherOf(best, other)) {
    case "same":
      return null;
    case "missing": {
      const which = best.byteOffset === 0 ? "second" : "first";
      return `the ${which} copy of the LUKS2 header is missing; ${used}; ${next}`;
    }
    case "damaged": {
      const { byteOffset, error } = other!;
      const where = error!.place.byteOffset ?? byteOffset;
      const { field } = error!.place;
      return (
        `the LUKS2 header at byte ${byteOffset} is damaged (${field === undefined ? "" : `${field}, `}` +
        `byte ${where}: ${error!.message}); ${used}; ${next}`
      );
    }
    case "foreign":
      return `the LUKS2 header copy at byte ${other!.byteOffset} is of another device (${other!.content!.header.uuid}); ${used}; ${next}`;
    case "outdated": {
      const [mine, newest] = [other!.content!.header.sequenceId, best.content.header.sequenceId];
      const ages =
        mine === newest ? `(both are update ${newest}, and differ)` : `(update ${mine} of ${newest})`;
      return `the LUKS2 header copy at byte ${other!.byteOffset} is out of date ${ages}; ${used}; ${next}`;
    }
  }
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
