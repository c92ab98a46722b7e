import { crc32c } from "@cev/core";

const BLOCK = 4096;
const CHUNK_SECTORS = 128;
const SUPERBLOCK_XOR = 160_774;
const NODE_XOR = 121_107;
const ENTRIES_MAX = { 8: 252, 24: 126 } as const;

/** An entry of a leaf: a key, and a value (for chunks: without the time). */
export type Entry = readonly [key: number, value: number];

/** Writes the checksum of a block. */
export function seal(metadata: Uint8Array, block: number): void {
  const bytes = metadata.subarray(block * BLOCK, (block + 1) * BLOCK);
  const sum = crc32c(0xffff_ffff, bytes.subarray(4)) ^ (block === 0 ? SUPERBLOCK_XOR : NODE_XOR);
  new DataView(bytes.buffer, bytes.byteOffset).setUint32(0, sum >>> 0, true);
}

/** Metadata of a pool, made by hand: block 0, and nodes as they are put. */
export class PoolMaker {
  readonly metadata: Uint8Array;

  constructor(blockCount = 64) {
    this.metadata = new Uint8Array(blockCount * BLOCK);
  }

  superblock(mappingRoot: number, detailsRoot: number): this {
    const view = this.#view(0);
    view.setBigUint64(32, 27_022_010n, true);
    view.setUint32(40, 2, true);
    view.setBigUint64(48, 7n, true);
    view.setBigUint64(320, BigInt(mappingRoot), true);
    view.setBigUint64(328, BigInt(detailsRoot), true);
    view.setUint32(336, CHUNK_SECTORS, true);
    view.setUint32(340, BLOCK / 512, true);
    view.setBigUint64(344, BigInt(this.metadata.length / BLOCK), true);
    seal(this.metadata, 0);
    return this;
  }

  /** `shift`: by how many bits values are moved up (24 for chunks). */
  node(
    block: number,
    kind: "internal" | "leaf",
    entries: readonly Entry[],
    shift = 0,
    valueSize: 8 | 24 = 8,
  ): this {
    const view = this.#view(block);
    const max = ENTRIES_MAX[valueSize];
    view.setUint32(4, kind === "internal" ? 1 : 2, true);
    view.setBigUint64(8, BigInt(block), true);
    view.setUint32(16, entries.length, true);
    view.setUint32(20, max, true);
    view.setUint32(24, valueSize, true);
    for (const [index, [key, value]] of entries.entries()) {
      view.setBigUint64(32 + index * 8, BigInt(key), true);
      view.setBigUint64(
        32 + max * 8 + index * valueSize,
        (BigInt(value) << BigInt(shift)) | (shift > 0 ? 5n : 0n),
        true,
      );
    }
    seal(this.metadata, block);
    return this;
  }

  /** One volume, number 1, in a tree of at most two levels, with its chunks in ascending order. */
  static volume(chunks: readonly Entry[], perLeaf = 252): Uint8Array {
    const leaves = Array.from({ length: Math.max(1, Math.ceil(chunks.length / perLeaf)) }, (_, index) =>
      chunks.slice(index * perLeaf, (index + 1) * perLeaf),
    );
    const maker = new PoolMaker(8 + leaves.length).superblock(1, 2);
    maker.node(1, "leaf", [[1, 3]]).node(2, "leaf", [[1, chunks.length]], 0, 24);
    if (leaves.length === 1) return maker.node(3, "leaf", chunks, 24).metadata;
    leaves.forEach((leaf, index) => maker.node(8 + index, "leaf", leaf, 24));
    return maker.node(
      3,
      "internal",
      leaves.map((leaf, index): Entry => [leaf[0]![0], 8 + index]),
    ).metadata;
  }

  #view(block: number): DataView {
    return new DataView(this.metadata.buffer, block * BLOCK, BLOCK);
  }
}
