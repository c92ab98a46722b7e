import { luks1AreaSize } from "../luks1/header.ts";
import type { Luks1Header } from "../luks1/header.ts";
import { readLuks1Header } from "../luks1/volume.ts";
import { luksVersionAtStart, readLuks2Copies } from "../luks2/copies.ts";
import type { HeaderSource, Luks2Copies } from "../luks2/copies.ts";

const PAGE_LENGTH = 4096;

/** A header as it was found, and how many bytes a backup of it takes. */
export type FoundHeader =
  | { readonly version: 1; readonly header: Luks1Header; readonly length: number }
  | { readonly version: 2; readonly copies: Luks2Copies; readonly length: number };

/** Reads a header of either version. Null: there is none. Throws `CEV_BAD_METADATA` for one that cannot be used. */
export async function findHeader(source: HeaderSource): Promise<FoundHeader | null> {
  if ((await luksVersionAtStart(source)) === 1) {
    const header = await readLuks1Header(source);
    const end = Math.max(...header.keyslots.map(({ offset }) => offset)) + luks1AreaSize(header.keySize);
    return { version: 1, header, length: Math.ceil(end / PAGE_LENGTH) * PAGE_LENGTH };
  }
  const copies = await readLuks2Copies(source);
  if (copies === null) return null;
  const { header, root } = copies;
  const keyslotsSize = root.member("config").member("keyslots_size").decimal();
  return { version: 2, copies, length: 2 * header.headerSize + keyslotsSize };
}
