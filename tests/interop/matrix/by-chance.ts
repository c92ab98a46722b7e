import { hashText } from "./hash.ts";

/** The same items in an order that a seed decides; taking some items away leaves the order of the others. */
export function byChance<T>(items: readonly T[], nameOf: (item: T) => string, seed: number): T[] {
  return items
    .map((item) => ({ item, key: hashText(`${seed} ${nameOf(item)}`) }))
    .sort((a, b) => a.key - b.key)
    .map(({ item }) => item);
}
