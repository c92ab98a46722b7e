import { readBytes } from "@cev/core";
import type { Environment, RequestTarget } from "@cev/core";
import { METADATA_BLOCK } from "./superblock.ts";
import { decodeNode } from "./tree-node.ts";
import type { LeafKind, TreeNode } from "./tree-node.ts";

/** Of 4 KiB each: enough for the ways through many volumes at once. */
const NODES_MAX = 4096;

/** What a `NodeStore` reads from. */
export interface NodeStoreOptions {
  readonly environment: Environment;
  readonly metadata: RequestTarget;
  /** How messages call it. */
  readonly source: string;
  /** Of the metadata device, in blocks. */
  readonly blockCount: number;
  /** How many nodes are kept at most. Default 4096, which takes 16 MiB. */
  readonly nodesMax?: number;
}

/** The nodes of a pool's trees, as they are needed: those used last are kept. */
export class NodeStore {
  readonly #options: NodeStoreOptions;
  // In order of use, those used last at the end.
  readonly #nodes = new Map<number, TreeNode>();
  readonly #loading = new Map<number, Promise<TreeNode>>();

  constructor(options: NodeStoreOptions) {
    this.#options = options;
  }

  /** How messages call the metadata device. */
  get source(): string {
    return this.#options.source;
  }

  /** A node, if it is here. */
  peek(block: number): TreeNode | undefined {
    return this.#nodes.get(block);
  }

  /** Reads a node, once for all that wait for it. Rejects with `CEV_BAD_METADATA`, or the error of the device. */
  async load(block: number, kind: LeafKind): Promise<TreeNode> {
    const known = this.#nodes.get(block);
    if (known !== undefined) {
      this.#nodes.delete(block);
      this.#nodes.set(block, known);
      return known;
    }
    let loading = this.#loading.get(block);
    if (loading === undefined) {
      loading = this.#read(block, kind).finally(() => this.#loading.delete(block));
      this.#loading.set(block, loading);
    }
    return loading;
  }

  async #read(block: number, kind: LeafKind): Promise<TreeNode> {
    const { environment, metadata, nodesMax = NODES_MAX } = this.#options;
    const bytes = await readBytes(metadata, environment, block * METADATA_BLOCK, METADATA_BLOCK);
    const node = decodeNode(bytes, block, kind, this.#options);
    this.#nodes.set(block, node);
    if (this.#nodes.size > nodesMax) {
      const [oldest] = this.#nodes.keys();
      this.#nodes.delete(oldest!);
    }
    return node;
  }
}
