import { CevError, MetadataError } from "@cev/core";
import { luksVersionAtStart, readLuks2Copies } from "./luks2-copies.ts";
import type { HeaderSource } from "./luks2-copies.ts";
import type { LuksVolume } from "./luks-volume.ts";

/** A header that was read, and what is not as it should be but did not stop that. */
export interface FoundVolume {
  readonly volume: LuksVolume;
  readonly problem: string | null;
}

/**
 * Reads the header of a LUKS device. Null: there is none. Throws `CEV_BAD_METADATA` for one that cannot be used, and
 * `CEV_UNKNOWN_FEATURE` for one that asks for what is not known here.
 */
export async function readLuksVolume(source: HeaderSource): Promise<FoundVolume | null> {
  if ((await luksVersionAtStart(source)) === 1) {
    throw new CevError("CEV_UNKNOWN_FEATURE", "a LUKS1 header was found; LUKS2 is what can be opened", {
      source: source.name,
      hint: "`cryptsetup convert --type luks2` makes a LUKS2 header of it",
    });
  }
  const copies = await readLuks2Copies(source);
  if (copies === null) return null;
  const { header, metadata, problem } = copies;
  checkFits(metadata.segment, source);
  const { uuid, label, subsystem } = header;
  return { volume: { version: 2, uuid, label, subsystem, ...metadata }, problem };
}

function checkFits(segment: LuksVolume["segment"], source: HeaderSource): void {
  const end = segment.offset + (segment.size ?? segment.sectorSize);
  if (end <= source.size) return;
  throw new MetadataError(`the encrypted data ends at byte ${end}, the device at byte ${source.size}`, {
    source: source.name,
    structure: "LUKS2 JSON area",
    field: "segments.0",
    hint: "is the image complete?",
  });
}
