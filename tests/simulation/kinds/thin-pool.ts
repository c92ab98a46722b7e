import { crc32c } from "@cev/core";
import { Random } from "@cev/test-kit";

/** Bytes of a block of the metadata. */
export const NODE = 4096;
/** Bytes of a chunk of the data. */
export const CHUNK = 65_536;
/** Number of the volume. */
export const DEVICE_ID = 7;

const SECTOR = 512;
const MAGIC = 27_022_010n;
const SUPERBLOCK_XOR = 160_774;
const NODE_XOR = 121_107;
// Blocks of the metadata.
const DEVICES = 1;
const DETAILS = 2;
const ROOT = 3;
const FIRST_LEAF = 4;
// Values of the tree of chunks have their time below.
const TIME_BITS = 24n;

/** Bytes of a pool of one volume, whose chunks lie out of order; some are not there. */
export interface ThinPool {
  /** Every byte of it counts. */
  readonly metadata: Uint8Array;
  readonly data: Uint8Array;
  /** What the volume shows. */
  readonly shown: Uint8Array;
}

/** A pool whose volume has so many chunks. */
export function thinPool(chunkCount: number): ThinPool {
  const random = new Random(chunkCount);
  const mapped = Array.from({ length: chunkCount }, (_, chunk) => chunk).filter((chunk) => chunk % 3 !== 1);
  const places = random.shuffled(Array.from({ length: dataChunkCount(chunkCount) }, (_, place) => place));
  const data = random.bytes(places.length * CHUNK);
  const shown = new Uint8Array(chunkCount * CHUNK);
  const entries = mapped.map((chunk, index): Entry => {
    const place = places[index]!;
    shown.set(data.subarray(place * CHUNK, (place + 1) * CHUNK), chunk * CHUNK);
    return [chunk, (BigInt(place) << TIME_BITS) | 1n];
  });
  const half = Math.ceil(entries.length / 2);
  const leaves = [entries.slice(0, half), entries.slice(half)].filter(({ length }) => length > 0);
  const metadata = new Uint8Array(NODE * (FIRST_LEAF + leaves.length));
  writeSuperblock(metadata);
  writeNode(metadata, DEVICES, [[DEVICE_ID, BigInt(ROOT)]], { isLeaf: true, valueSize: 8 });
  writeNode(metadata, DETAILS, [[DEVICE_ID, BigInt(entries.length)]], { isLeaf: true, valueSize: 24 });
  const inner = leaves.map(([first], index): Entry => [first![0], BigInt(FIRST_LEAF + index)]);
  writeNode(metadata, ROOT, inner, { isLeaf: false, valueSize: 8 });
  for (const [index, leaf] of leaves.entries())
    writeNode(metadata, FIRST_LEAF + index, leaf, { isLeaf: true, valueSize: 8 });
  return { metadata, data, shown };
}

/** Chunks that the data of a pool has for a volume. */
export function dataChunkCount(chunkCount: number): number {
  return chunkCount + 2;
}

type Entry = readonly [key: number, value: bigint];

function writeSuperblock(metadata: Uint8Array): void {
  const view = blockOf(metadata, 0);
  view.setBigUint64(32, MAGIC, true);
  view.setUint32(40, 2, true);
  view.setBigUint64(320, BigInt(DEVICES), true);
  view.setBigUint64(328, BigInt(DETAILS), true);
  view.setUint32(336, CHUNK / SECTOR, true);
  view.setUint32(340, NODE / SECTOR, true);
  view.setBigUint64(344, BigInt(metadata.length / NODE), true);
  seal(view, SUPERBLOCK_XOR);
}

function writeNode(
  metadata: Uint8Array,
  block: number,
  entries: readonly Entry[],
  { isLeaf, valueSize }: { readonly isLeaf: boolean; readonly valueSize: 8 | 24 },
): void {
  const view = blockOf(metadata, block);
  // As many as there is room for, in threes.
  const entriesMax = valueSize === 8 ? 252 : 126;
  view.setUint32(4, isLeaf ? 2 : 1, true);
  view.setBigUint64(8, BigInt(block), true);
  view.setUint32(16, entries.length, true);
  view.setUint32(20, entriesMax, true);
  view.setUint32(24, valueSize, true);
  for (const [index, [key, value]] of entries.entries()) {
    view.setBigUint64(32 + index * 8, BigInt(key), true);
    view.setBigUint64(32 + entriesMax * 8 + index * valueSize, value, true);
  }
  seal(view, NODE_XOR);
}

function blockOf(metadata: Uint8Array, block: number): DataView {
  return new DataView(metadata.buffer, block * NODE, NODE);
}

function seal(view: DataView, xor: number): void {
  const bytes = new Uint8Array(view.buffer, view.byteOffset, NODE);
  view.setUint32(0, (crc32c(0xffff_ffff, bytes.subarray(4)) ^ xor) >>> 0, true);
}
