import * as zlib from "node:zlib";
import { CevError } from "@cev/core";
import { Kind } from "./entry.ts";
import type { CodecKind } from "./superblock.ts";

/** Node has zstd from 22.15 on. */
export const hasZstd = (): boolean => typeof (zlib as Partial<typeof zlib>).zstdCompressSync === "function";

/** Throws `CEV_UNKNOWN_FEATURE` where this Node cannot do it. */
export function requireCodec(kind: Kind): void {
  if (kind === Kind.zstd && !hasZstd())
    throw new CevError("CEV_UNKNOWN_FEATURE", "chunks are compressed with zstd", {
      hint: "zstd needs Node 22.15 or later",
    });
}

/** Fresh memory with the chunk in fewer bytes, or in more where it cannot be made shorter. */
export function compressChunk(codec: CodecKind, level: number, chunk: Uint8Array): Uint8Array {
  if (codec === Kind.deflate) return zlib.deflateRawSync(chunk, { level });
  return zlib.zstdCompressSync(chunk, {
    params: { [zlib.constants.ZSTD_c_compressionLevel]: level },
  });
}

/** The chunk; null: what is stored is none. Never takes more memory than a chunk. */
export function expandChunk(kind: Kind, stored: Uint8Array, chunkSize: number): Uint8Array | null {
  const options = { maxOutputLength: chunkSize };
  try {
    const chunk =
      kind === Kind.deflate ? zlib.inflateRawSync(stored, options) : zlib.zstdDecompressSync(stored, options);
    return chunk.length === chunkSize ? chunk : null;
  } catch {
    return null;
  }
}
