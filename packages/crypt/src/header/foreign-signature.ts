import { CevError, isCevError } from "@cev/core";
import type { HeaderSource, Luks2Copies } from "../luks2/copies.ts";
import { isUnreadable } from "../luks2/read-copy.ts";

interface Signature {
  readonly format: string;
  readonly offset: number;
  readonly bytes: string;
}

// What whoever made the device anew would have written over the first header copy; the second one lies further back and stays.
const SIGNATURES: readonly Signature[] = [
  ...[0, 512, 1024, 1536].map((offset) => ({ format: "an LVM2 label", offset, bytes: "LABELONE" })),
  // Little-endian on the disk.
  ...[0, 4096].map((offset) => ({ format: "an md superblock", offset, bytes: "\xfc\x4e\x2b\xa9" })),
  { format: "an ext file system", offset: 1080, bytes: "\x53\xef" },
  { format: "an XFS file system", offset: 0, bytes: "XFSB" },
  { format: "an NTFS file system", offset: 3, bytes: "NTFS    " },
  { format: "a partition table", offset: 512, bytes: "EFI PART" },
  { format: "a boot sector or partition table", offset: 510, bytes: "\x55\xaa" },
  { format: "a swap area", offset: 4086, bytes: "SWAPSPACE2" },
  { format: "an F2FS file system", offset: 1024, bytes: "\x10\x20\xf5\xf2" },
  { format: "an EROFS file system", offset: 1024, bytes: "\xe2\xe1\xf5\xe0" },
  { format: "an HFS+ file system", offset: 1024, bytes: "H+" },
  { format: "an APFS container", offset: 32, bytes: "NXSB" },
  { format: "a SquashFS file system", offset: 0, bytes: "hsqs" },
  { format: "a dm-integrity superblock", offset: 0, bytes: "integrt\0" },
  { format: "a dm-verity superblock", offset: 0, bytes: "verity\0\0" },
];
const LENGTH = 8192;
const PART_LENGTH = 4096;

/**
 * Throws `CEV_AMBIGUOUS` where something else was written over the first copy of a LUKS2 header: the device may have been made anew since,
 * its second copy be a leftover, and whatever is written for the sake of that one destroy what the device carries now.
 */
export async function refuseForeign(
  source: HeaderSource,
  { header, used, other }: Luks2Copies,
): Promise<void> {
  // A partition table leaves the magic bytes of the first copy where they are.
  if (used !== "secondary" || (other !== "missing" && other !== "damaged")) return;
  const format = await foreignSignature(source);
  if (format === null) return;
  const byteOffset = header.headerSize;
  throw new CevError(
    "CEV_AMBIGUOUS",
    `the second copy of a LUKS2 header is at byte ${byteOffset}, but over the first one there is ${format}`,
    {
      source: source.name,
      structure: "LUKS2 header",
      byteOffset: 0,
      hint: "if this is still the LUKS device, `cev crypt repair` restores the first copy; if not, the second one is a leftover",
    },
  );
}

/** The other format whose signature stands where the first LUKS2 header copy would be; null: none that is known. One small read. */
async function foreignSignature(source: HeaderSource): Promise<string | null> {
  const parts: string[] = [];
  for (let at = 0; at < LENGTH; at += PART_LENGTH)
    parts.push(await readText(source, at, Math.min(PART_LENGTH, source.size - at)));
  const text = parts.join("");
  const found = SIGNATURES.find(({ offset, bytes }) => text.startsWith(bytes, offset));
  return found?.format ?? null;
}

/** What cannot be read says nothing. */
async function readText(source: HeaderSource, offset: number, length: number): Promise<string> {
  try {
    return Buffer.from(await source.read(offset, length)).toString("latin1");
  } catch (error) {
    if (isCevError(error) && isUnreadable(error)) return "\0".repeat(length);
    throw error;
  }
}
