import { MetadataError } from "@cev/core";
import { LUKS1_HEADER_LENGTH } from "../luks1/header.ts";
import { luks1ProblemOf, luks1VolumeOf, readLuks1Header } from "../luks1/volume.ts";
import { luks2VolumeOf, luksVersionAtStart, readLuks2Copies } from "../luks2/copies.ts";
import type { HeaderSource } from "../luks2/copies.ts";
import { refuseForeign } from "./foreign-signature.ts";
import type { LuksVolume } from "./luks-volume.ts";

/** A header that was read, and what is not as it should be but did not stop that. */
export interface FoundVolume {
  readonly volume: LuksVolume;
  readonly problem: string | null;
  /** The data would begin within the header: it is on another device. */
  readonly isDetached: boolean;
}

/** The encrypted device of a detached header. */
export interface DataDevice {
  readonly name: string;
  /** Bytes. */
  readonly size: number;
}

/**
 * Reads the header of a LUKS device, or with `data` a detached one. Null: there is none. Throws `CEV_BAD_METADATA` for one that cannot
 * be used, `CEV_UNKNOWN_FEATURE` for one that asks for what is not known here, and `CEV_AMBIGUOUS` where something else was written over
 * the first copy of one: the device may have been made anew since, and its second copy be a leftover.
 */
export async function readLuksVolume(
  source: HeaderSource,
  data: DataDevice | null = null,
): Promise<FoundVolume | null> {
  const found = await readHeader(source);
  if (found === null) return null;
  const { volume, problem, headerLength } = found;
  const isDetached = volume.segment.offset < headerLength;
  // Where a detached header stands alone, nothing is known of the data.
  if (data !== null || !isDetached) checkFits(volume, source, data ?? source);
  return { volume, problem, isDetached };
}

/** `headerLength`: bytes up to the end of what the header takes on its device. */
async function readHeader(
  source: HeaderSource,
): Promise<(Omit<FoundVolume, "isDetached"> & { readonly headerLength: number }) | null> {
  if ((await luksVersionAtStart(source)) === 1) {
    const header = await readLuks1Header(source);
    const volume = luks1VolumeOf(header);
    return { volume, problem: luks1ProblemOf(header), headerLength: LUKS1_HEADER_LENGTH };
  }
  const copies = await readLuks2Copies(source);
  if (copies === null) return null;
  await refuseForeign(source, copies);
  const { header, problem } = copies;
  return { volume: luks2VolumeOf(copies), problem, headerLength: 2 * header.headerSize };
}

function checkFits({ version, segment }: LuksVolume, source: HeaderSource, data: DataDevice): void {
  const end = segment.offset + (segment.size ?? segment.sectorSize);
  if (end <= data.size) return;
  throw new MetadataError(
    `the encrypted data ends at byte ${end}, ${data === source ? "the device" : data.name} at byte ${data.size}`,
    {
      source: source.name,
      structure: version === 1 ? "LUKS1 header" : "LUKS2 JSON area",
      field: version === 1 ? "payload-offset" : "segments.0",
      hint: "is the image complete? of a detached header, give the encrypted device, too",
    },
  );
}
