import { MetadataError } from "@cev/core";
import type { HeaderDevice } from "../header/header-device.ts";
import { writeCopy } from "./commit.ts";
import { readLuks2Copies } from "./copies.ts";
import type { Luks2Copies } from "./copies.ts";
import { CopyReader } from "./read-copy.ts";
import type { HeaderContent } from "./read-copy.ts";

/** How a LUKS2 header is to be repaired. */
export interface Luks2RepairOptions {
  /** Only say what would be done. */
  readonly isDryRun: boolean;
  /** Which device this is, where the two copies are of different ones. */
  readonly uuid: string | null;
}

/**
 * Writes the header copy that is missing, damaged or out of date anew from the one that counts, with the same update number. Returns
 * what was done, in words; nothing when both copies agree. Throws `CEV_BAD_METADATA` when no copy is valid, or when the copies are of
 * two devices and `uuid` does not say of which: then nothing is written.
 */
export async function repairLuks2(
  device: HeaderDevice,
  { isDryRun, uuid }: Luks2RepairOptions,
): Promise<readonly string[]> {
  const copies = await readLuks2Copies(device);
  if (copies === null) {
    const place = { source: device.name, structure: "LUKS2 header", byteOffset: 0 };
    throw new MetadataError("there is no LUKS2 header here", place);
  }
  if (copies.other === "same") return [];
  const { content, used } = await contentToKeep(device, copies, uuid);
  const restored = used === "primary" ? "secondary" : "primary";
  const { header, root } = content;
  const at = restored === "primary" ? 0 : header.headerSize;
  if (!isDryRun) await writeCopy(device, header, Buffer.from(root.source()).toString("utf8"), restored);
  const which = restored === "primary" ? "first" : "second";
  return [`the ${which} header copy at byte ${at}, which was ${WORDS[copies.other]}, from the other one`];
}

const WORDS: Readonly<Record<Exclude<Luks2Copies["other"], "same">, string>> = {
  outdated: "out of date",
  foreign: "of another device",
  damaged: "damaged",
  missing: "missing",
};

/** The content that counts: the newer one, or the one with the UUID that was asked for; of two devices nothing but that. */
async function contentToKeep(
  device: HeaderDevice,
  copies: Luks2Copies,
  uuid: string | null,
): Promise<{ readonly content: HeaderContent; readonly used: Luks2Copies["used"] }> {
  const newest = { content: copies, used: copies.used };
  if (copies.header.uuid === uuid || (uuid === null && copies.other !== "foreign")) return newest;
  const at = copies.used === "primary" ? copies.header.headerSize : 0;
  const other = await new CopyReader(device).read(at);
  if (uuid !== null && other !== null && other.content !== null && other.content.header.uuid === uuid)
    return { content: other.content, used: copies.used === "primary" ? "secondary" : "primary" };
  if (copies.other !== "foreign") return newest;
  throw new MetadataError(copies.problem!, {
    source: device.name,
    structure: "LUKS2 header",
    field: "uuid",
    byteOffset: at,
    hint: "say with the UUID which of the two devices this is",
  });
}
