import { MetadataError } from "@cev/core";
import { LUKS1_HEADER_LENGTH, decodeLuks1Header } from "../luks1/header.ts";
import { luksVersionAtStart, readLuks2Copies } from "../luks2/copies.ts";
import type { HeaderSource } from "../luks2/copies.ts";
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
    const volume = decodeLuks1Header(await source.read(0, LUKS1_HEADER_LENGTH), source.name);
    checkFits(volume, source);
    return { volume, problem: null };
  }
  const copies = await readLuks2Copies(source);
  if (copies === null) return null;
  const { header, metadata, problem } = copies;
  const { uuid, label, subsystem } = header;
  const volume: LuksVolume = { version: 2, uuid, label, subsystem, ...metadata };
  checkFits(volume, source);
  return { volume, problem };
}

function checkFits({ version, segment }: LuksVolume, source: HeaderSource): void {
  const end = segment.offset + (segment.size ?? segment.sectorSize);
  if (end <= source.size) return;
  throw new MetadataError(`the encrypted data ends at byte ${end}, the device at byte ${source.size}`, {
    source: source.name,
    structure: version === 1 ? "LUKS1 header" : "LUKS2 JSON area",
    field: version === 1 ? "payload-offset" : "segments.0",
    hint: "is the image complete?",
  });
}
