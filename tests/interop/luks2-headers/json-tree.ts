/** A JSON text as a tree that can hold what no JavaScript value can: members of the same name, numbers as they are written. */
export type JsonTree =
  | { readonly raw: string }
  | { items: JsonTree[] }
  | { members: [name: string, value: JsonTree][] };

export function treeOf(value: unknown): JsonTree {
  if (Array.isArray(value)) return { items: value.map(treeOf) };
  if (typeof value === "object" && value !== null)
    return { members: Object.entries(value).map(([name, member]) => [name, treeOf(member)]) };
  return { raw: JSON.stringify(value) };
}

export function textOf(tree: JsonTree): string {
  if ("raw" in tree) return tree.raw;
  if ("items" in tree) return `[${tree.items.map(textOf).join(",")}]`;
  return `{${tree.members.map(([name, value]) => `${JSON.stringify(name)}:${textOf(value)}`).join(",")}}`;
}

/** A place in a tree: what holds it, and where. */
export interface Place {
  readonly holder: { items: JsonTree[] } | { members: [name: string, value: JsonTree][] };
  readonly index: number;
}

/** Every place but the root. */
export function placesOf(tree: JsonTree): Place[] {
  if ("raw" in tree) return [];
  const values = "items" in tree ? tree.items : tree.members.map(([, value]) => value);
  return values.flatMap((value, index) => [{ holder: tree, index }, ...placesOf(value)]);
}

export function valueAt({ holder, index }: Place): JsonTree {
  return "items" in holder ? holder.items[index]! : holder.members[index]![1];
}

export function setAt({ holder, index }: Place, value: JsonTree): void {
  if ("items" in holder) holder.items[index] = value;
  else holder.members[index] = [holder.members[index]![0], value];
}

export function removeAt({ holder, index }: Place): void {
  if ("items" in holder) holder.items.splice(index, 1);
  else holder.members.splice(index, 1);
}
