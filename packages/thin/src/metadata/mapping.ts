import { MetadataError } from "@cev/core";
import { DEPTH_MAX, checkBelow, tooDeep } from "./lookup.ts";
import type { NodeStore } from "./node-store.ts";
import { METADATA_BLOCK } from "./superblock.ts";
import { CHUNKS, indexUpTo } from "./tree-node.ts";
import type { TreeNode } from "./tree-node.ts";

/** Where a run of a volume's chunks lies. Filled in by `ChunkMapping.locate`. */
export class ChunkRun {
  /** First chunk on the data device; -1: the volume has none there. */
  dataChunk = -1;
  /** How many chunks follow one another, on both sides; for a hole up to Infinity. */
  count = 1;
  /** A node of the tree that must be loaded before more can be said. */
  missing = 0;
}

/** The tree from one volume's chunks to those of the data device. */
export class ChunkMapping {
  readonly #nodes: NodeStore;
  readonly #root: number;
  readonly #dataChunkCount: number;

  /** `dataChunkCount`: how many chunks the data device has. */
  constructor(nodes: NodeStore, root: number, dataChunkCount: number) {
    this.#nodes = nodes;
    this.#root = root;
    this.#dataChunkCount = dataChunkCount;
  }

  /**
   * Finds the run that begins with a chunk, as far as the leaf tells. False: `run.missing` is to be loaded first. Throws
   * `CEV_BAD_METADATA` where the tree contradicts itself.
   */
  locate(chunk: number, run: ChunkRun): boolean {
    let node = this.#nodes.peek(this.#root);
    if (node === undefined) return missing(run, this.#root);
    let end = Infinity;
    for (let depth = 0; !node.isLeaf; depth++) {
      if (depth >= DEPTH_MAX) throw tooDeep(this.#nodes, node);
      const index = indexUpTo(node.keys, chunk);
      end = Math.min(end, node.keys[index + 1] ?? Infinity);
      if (index < 0) return hole(run, end - chunk);
      const block: number = node.values[index]!;
      const below = this.#nodes.peek(block);
      if (below === undefined) return missing(run, block);
      checkBelow(this.#nodes, node, index, below);
      node = below;
    }
    const { keys, values } = node;
    const index = indexUpTo(keys, chunk);
    if (index < 0 || keys[index] !== chunk)
      return hole(run, Math.min(end, keys[index + 1] ?? Infinity) - chunk);
    const first = values[index]!;
    const most = this.#dataChunkCount - first;
    if (most <= 0) throw this.#outside(node, chunk, first);
    let count = 1;
    while (count < most && keys[index + count] === chunk + count && values[index + count] === first + count)
      count++;
    run.dataChunk = first;
    run.count = count;
    return true;
  }

  /** Loads a node that `locate` found missing. */
  async load(block: number): Promise<void> {
    await this.#nodes.load(block, CHUNKS);
  }

  #outside({ block }: TreeNode, chunk: number, dataChunk: number): MetadataError {
    return new MetadataError(
      `it puts chunk ${chunk} into chunk ${dataChunk} of the data device, which has ${this.#dataChunkCount}`,
      {
        source: this.#nodes.source,
        structure: `thin pool tree node ${block}`,
        field: "values",
        byteOffset: block * METADATA_BLOCK,
      },
    );
  }
}

function hole(run: ChunkRun, count: number): true {
  run.dataChunk = -1;
  run.count = count;
  return true;
}

function missing(run: ChunkRun, block: number): false {
  run.missing = block;
  return false;
}
