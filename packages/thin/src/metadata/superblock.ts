import { MetadataError, crc32c } from "@cev/core";

/** Bytes of a block of the metadata: what its trees are made of, whatever the pool's chunks are. */
export const METADATA_BLOCK = 4096;

const SECTOR = 512;
const MAGIC = 27_022_010n;
const CHECKSUM_XOR = 160_774;
const VERSIONS: readonly number[] = [1, 2];
/** Where each field lies in block 0. */
const AT = {
  checksum: 0,
  flags: 4,
  block: 8,
  magic: 32,
  version: 40,
  transactionId: 48,
  mappingRoot: 320,
  detailsRoot: 328,
  chunkSize: 336,
  blockSize: 340,
  blockCount: 344,
  incompatible: 360,
} as const;
const NEEDS_CHECK = 1;
// As device-mapper takes it: 64 KiB to 1 GiB.
const CHUNK_SIZE_MIN = 65_536;
const CHUNK_SIZE_MAX = 2 ** 30;

/** The superblock of a pool's metadata: `struct thin_disk_superblock` of Linux's dm-thin-metadata.c. */
export interface ThinSuperblock {
  /** The kernel found something wrong and wants `thin_check` to be run. */
  readonly needsCheck: boolean;
  /** Who manages the pool counts its changes with it: LVM2 keeps the same number in the group. */
  readonly transactionId: number;
  /** Blocks of the metadata: the tree of trees from volumes to chunks, and that of what is known of each volume. */
  readonly mappingRoot: number;
  readonly detailsRoot: number;
  /** Bytes. */
  readonly chunkSize: number;
}

/** The checksum of a block of the metadata: CRC-32C of all behind it, not inverted at the end, xor a number of its kind. */
export function checksumOf(block: Uint8Array, xor: number): number {
  return (crc32c(0xffff_ffff, block.subarray(4, METADATA_BLOCK)) ^ xor) >>> 0;
}

/** Decodes block 0 of the metadata. `blockCount`: of the device. Throws `CEV_BAD_METADATA`, `CEV_UNKNOWN_FEATURE`. */
export function decodeSuperblock(bytes: Uint8Array, blockCount: number, source: string): ThinSuperblock {
  const view = new DataView(bytes.buffer, bytes.byteOffset, METADATA_BLOCK);
  const bad = (
    field: string,
    at: number,
    message: string,
    code: "CEV_BAD_METADATA" | "CEV_UNKNOWN_FEATURE" = "CEV_BAD_METADATA",
  ): MetadataError =>
    new MetadataError(message, { source, structure: "thin pool superblock", field, byteOffset: at }, code);
  if (view.getBigUint64(AT.magic, true) !== MAGIC)
    throw bad("magic", AT.magic, "this is not the metadata of a thin pool");
  if (view.getUint32(AT.checksum, true) !== checksumOf(bytes, CHECKSUM_XOR))
    throw bad("csum", AT.checksum, "the checksum is wrong");
  if (view.getBigUint64(AT.block, true) !== 0n)
    throw bad("blocknr", AT.block, "it belongs into another block");
  const version = view.getUint32(AT.version, true);
  if (!VERSIONS.includes(version))
    throw bad("version", AT.version, `version ${version} is not known`, "CEV_UNKNOWN_FEATURE");
  const incompatible = view.getUint32(AT.incompatible, true);
  if (incompatible !== 0)
    throw bad(
      "incompat_flags",
      AT.incompatible,
      `the features 0x${incompatible.toString(16)} are not known`,
      "CEV_UNKNOWN_FEATURE",
    );
  const blockSize = view.getUint32(AT.blockSize, true) * SECTOR;
  if (blockSize !== METADATA_BLOCK)
    throw bad(
      "metadata_block_size",
      AT.blockSize,
      `blocks have ${METADATA_BLOCK} bytes, and not ${blockSize}`,
    );
  const chunkSize = view.getUint32(AT.chunkSize, true) * SECTOR;
  if (chunkSize < CHUNK_SIZE_MIN || chunkSize > CHUNK_SIZE_MAX || chunkSize % CHUNK_SIZE_MIN !== 0)
    throw bad("data_block_size", AT.chunkSize, `no pool has chunks of ${chunkSize} bytes`);
  if (view.getBigUint64(AT.blockCount, true) > BigInt(blockCount))
    throw bad("metadata_nr_blocks", AT.blockCount, "the metadata passes the end of its device");
  const root = (field: string, at: number): number => {
    const block = view.getBigUint64(at, true);
    if (block === 0n || block >= BigInt(blockCount)) throw bad(field, at, "the tree lies outside the device");
    return Number(block);
  };
  return {
    needsCheck: (view.getUint32(AT.flags, true) & NEEDS_CHECK) !== 0,
    transactionId: Number(view.getBigUint64(AT.transactionId, true)),
    mappingRoot: root("data_mapping_root", AT.mappingRoot),
    detailsRoot: root("device_details_root", AT.detailsRoot),
    chunkSize,
  };
}
