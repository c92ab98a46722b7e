import { MetadataError } from "@cev/core";
import { METADATA_BLOCK, checksumOf } from "./superblock.ts";

const CHECKSUM_XOR = 121_107;
/** Where each field of a node's head lies; keys follow, then values. */
const AT = { checksum: 0, flags: 4, block: 8, entryCount: 16, entryMax: 20, valueSize: 24 } as const;
const HEAD_LENGTH = 32;
const KEY_LENGTH = 8;
const NodeFlag = { internal: 1, leaf: 2 } as const;
const BLOCK_LENGTH = 8;

/** What the leaves of a tree hold: roots of other trees, chunks of the data device, or facts on a volume. */
export interface LeafKind {
  /** Bytes of a value. */
  readonly valueSize: number;
  /** The number that counts, of a value at a place. */
  readonly decode: (view: DataView, at: number) => number;
}

/** Values that are blocks of the metadata. */
export const BLOCKS: LeafKind = { valueSize: BLOCK_LENGTH, decode: wholeNumber };

/** Chunks of the data device, without the time in the 24 low bits. */
export const CHUNKS: LeafKind = {
  valueSize: 8,
  decode: (view, at) => view.getUint32(at + 4, true) * 256 + (view.getUint32(at, true) >>> 24),
};

/** `struct disk_device_details`: what counts is how many chunks are mapped. */
export const DETAILS: LeafKind = { valueSize: 24, decode: wholeNumber };

/** A node of a tree of Linux's dm-btree: keys in ascending order, each with a value. */
export interface TreeNode {
  readonly block: number;
  readonly isLeaf: boolean;
  readonly keys: Float64Array;
  /** Of an internal node: blocks of the nodes below. */
  readonly values: Float64Array;
}

/** Decodes one block as a node; `blockCount`: of the metadata device. Throws `CEV_BAD_METADATA`. */
export function decodeNode(
  bytes: Uint8Array,
  block: number,
  kind: LeafKind,
  { source, blockCount }: { readonly source: string; readonly blockCount: number },
): TreeNode {
  const view = new DataView(bytes.buffer, bytes.byteOffset, METADATA_BLOCK);
  const bad = (field: string, at: number, message: string): MetadataError =>
    new MetadataError(message, {
      source,
      structure: `thin pool tree node ${block}`,
      field,
      byteOffset: block * METADATA_BLOCK + at,
    });
  if (view.getUint32(AT.checksum, true) !== checksumOf(bytes, CHECKSUM_XOR))
    throw bad("csum", AT.checksum, "the checksum is wrong");
  if (view.getBigUint64(AT.block, true) !== BigInt(block))
    throw bad("blocknr", AT.block, "it belongs into another block");
  const flags = view.getUint32(AT.flags, true);
  const isLeaf = flags === NodeFlag.leaf;
  if (!isLeaf && flags !== NodeFlag.internal) throw bad("flags", AT.flags, "it is neither leaf nor internal");
  const valueSize = view.getUint32(AT.valueSize, true);
  const { valueSize: wanted, decode } = isLeaf ? kind : BLOCKS;
  if (valueSize !== wanted)
    throw bad("value_size", AT.valueSize, `values have ${valueSize} bytes instead of ${wanted}`);
  const entryMax = view.getUint32(AT.entryMax, true);
  if (HEAD_LENGTH + entryMax * (KEY_LENGTH + valueSize) > METADATA_BLOCK)
    throw bad("max_entries", AT.entryMax, `${entryMax} entries do not fit`);
  const entryCount = view.getUint32(AT.entryCount, true);
  if (entryCount > entryMax || (entryCount === 0 && !isLeaf))
    throw bad("nr_entries", AT.entryCount, `it cannot have ${entryCount} entries`);
  const keys = new Float64Array(entryCount);
  const values = new Float64Array(entryCount);
  const valuesAt = HEAD_LENGTH + entryMax * KEY_LENGTH;
  for (let index = 0; index < entryCount; index++) {
    const keyAt = HEAD_LENGTH + index * KEY_LENGTH;
    const key = wholeNumber(view, keyAt);
    if (!Number.isSafeInteger(key) || (index > 0 && key <= keys[index - 1]!))
      throw bad(`key ${index}`, keyAt, "the keys are not in ascending order");
    keys[index] = key;
    const valueAt = valuesAt + index * valueSize;
    const value = decode(view, valueAt);
    if ((!isLeaf || kind === BLOCKS) && (value === 0 || value >= blockCount))
      throw bad(`value ${index}`, valueAt, `block ${value} lies outside the device`);
    values[index] = value;
  }
  return { block, isLeaf, keys, values };
}

/** The index of the last key up to one; -1: all are beyond it. */
export function indexUpTo(keys: Float64Array, key: number): number {
  let low = -1;
  let high = keys.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (keys[middle]! <= key) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** Past 2^53 not exact: such a number lies outside any device. */
function wholeNumber(view: DataView, at: number): number {
  return view.getUint32(at + 4, true) * 2 ** 32 + view.getUint32(at, true);
}
