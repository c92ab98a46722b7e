import * as zlib from "node:zlib";
import { CevError } from "@cev/core";
import { Kind } from "./entry.ts";
import type { CodecKind } from "./superblock.ts";
import { isFrameOf } from "./zstd-frame.ts";

// Beyond a chunk: of memory that zlib fills in one go, and what does not shrink.
const EXTRA_LENGTH = 64;

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
  // What comes out then comes out in one piece.
  const chunkSize = chunk.length + EXTRA_LENGTH;
  if (codec === Kind.deflate) return zlib.deflateRawSync(chunk, { level, chunkSize });
  const { ZSTD_c_compressionLevel, ZSTD_c_contentSizeFlag } = zlib.constants;
  return zlib.zstdCompressSync(chunk, {
    chunkSize,
    params: { [ZSTD_c_compressionLevel]: level, [ZSTD_c_contentSizeFlag]: 1 },
  });
}

/** The chunk; null: what is stored is none. Never takes more memory than a chunk, its codec's window included. */
export function expandChunk(kind: Kind, stored: Uint8Array, chunkSize: number): Uint8Array | null {
  const options = { maxOutputLength: chunkSize, chunkSize: chunkSize + EXTRA_LENGTH };
  try {
    const chunk =
      kind === Kind.deflate
        ? zlib.inflateRawSync(stored, options)
        : isFrameOf(chunkSize, stored)
          ? zlib.zstdDecompressSync(stored, {
              ...options,
              // For whatever stands behind the frame.
              params: { [zlib.constants.ZSTD_d_windowLogMax]: Math.log2(chunkSize) },
            })
          : null;
    return chunk?.length === chunkSize ? chunk : null;
  } catch {
    return null;
  }
}
