import { MetadataError } from "@cev/core";
import type { NodeStore } from "./node-store.ts";
import { METADATA_BLOCK } from "./superblock.ts";
import { indexUpTo } from "./tree-node.ts";
import type { LeafKind, TreeNode } from "./tree-node.ts";

/** Deeper than a tree of 2^64 entries is. */
export const DEPTH_MAX = 16;

/** The value of a key, by reading the nodes on the way. Null: the tree does not have it. */
export async function lookup(
  nodes: NodeStore,
  root: number,
  key: number,
  kind: LeafKind,
): Promise<number | null> {
  let node = await nodes.load(root, kind);
  for (let depth = 0; ; depth++) {
    const index = indexUpTo(node.keys, key);
    if (node.isLeaf) return index >= 0 && node.keys[index] === key ? node.values[index]! : null;
    if (index < 0) return null;
    if (depth >= DEPTH_MAX) throw tooDeep(nodes, node);
    const below = await nodes.load(node.values[index]!, kind);
    checkBelow(nodes, node, index, below);
    node = below;
  }
}

/** A node holds only what its place in the node above says: else the tree leads to another's chunks. */
export function checkBelow(nodes: NodeStore, above: TreeNode, index: number, below: TreeNode): void {
  const { keys } = below;
  if (keys.length === 0) return;
  const end = above.keys[index + 1] ?? Infinity;
  if (keys[0]! >= above.keys[index]! && keys.at(-1)! < end) return;
  throw new MetadataError(`its keys are not those that node ${above.block} leads here for`, {
    source: nodes.source,
    structure: `thin pool tree node ${below.block}`,
    field: "keys",
    byteOffset: below.block * METADATA_BLOCK,
  });
}

/** A tree that leads back into itself. */
export function tooDeep(nodes: NodeStore, node: TreeNode): MetadataError {
  return new MetadataError(`a tree has more than ${DEPTH_MAX} levels`, {
    source: nodes.source,
    structure: `thin pool tree node ${node.block}`,
    field: "values",
    byteOffset: node.block * METADATA_BLOCK,
  });
}
