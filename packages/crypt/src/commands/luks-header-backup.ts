import { MetadataError } from "@cev/core";
import type { Layer } from "@cev/core";
import { headerSourceOf } from "../header/header-device.ts";
import { LUKS1_HEADER_LENGTH, luks1AreaSize } from "../luks1/header.ts";
import { throwIfCancelled } from "./command.ts";
import type { CommandOptions } from "./command.ts";
import { noHeader } from "./edit-header.ts";
import { findHeader } from "./header-extent.ts";
import type { FoundHeader } from "./header-extent.ts";

const STEP = 1024 * 1024;
const LUKS1_KEYSLOTS_OFFSET = 4096;

/**
 * The bytes of a backup of a LUKS header with all that its keyslots hold, piece by piece: what `cryptsetup luksHeaderBackup`
 * writes into its file, byte for byte. Whoever has the file can open the device with the passphrases of that time for ever, also
 * after they were changed. Throws `CEV_BAD_METADATA` when there is no header that can be used.
 */
export async function* luksHeaderBackup(
  lower: Layer,
  options: CommandOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  const source = headerSourceOf(lower, options.environment, options.name);
  const found = await findHeader(source);
  if (found === null) throw noHeader(source.name);
  const { length } = found;
  // The last page of LUKS1 may be only partly there, and what is not there is zero.
  const end = Math.min(length, source.size);
  if (found.version === 2 && end < length) throw truncated(source.name);
  for (let at = 0; at < length; at += STEP) {
    throwIfCancelled(options.signal);
    const piece = new Uint8Array(Math.min(STEP, length - at));
    piece.set(await source.read(at, Math.min(piece.length, end - at)));
    if (found.version === 1) blankUnused(piece, at, found);
    yield piece;
    options.onProgress?.({ step: "write", done: at + piece.length, total: length });
  }
}

/** What lies between the header and the first keyslot, or behind the last, is not the header's, and is left out. */
function blankUnused(piece: Uint8Array, at: number, { header }: FoundHeader & { readonly version: 1 }): void {
  const last = Math.max(...header.keyslots.map(({ offset }) => offset)) + luks1AreaSize(header.keySize);
  if (at + piece.length > last) piece.fill(0, Math.max(0, last - at));
  if (at === 0 && header.keyslots[0]!.offset === LUKS1_KEYSLOTS_OFFSET)
    piece.fill(0, LUKS1_HEADER_LENGTH, LUKS1_KEYSLOTS_OFFSET);
}

function truncated(name: string): MetadataError {
  return new MetadataError("the device ends within the area for keyslots", {
    source: name,
    structure: "LUKS2 JSON area",
    field: "config.keyslots_size",
    hint: "is the image complete?",
  });
}
