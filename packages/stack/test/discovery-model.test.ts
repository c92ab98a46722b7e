import { fc, test } from "@fast-check/vitest";
import { expect } from "vitest";
import { openImages } from "../src/index.ts";
import type { Stack } from "../src/index.ts";
import { disk, environment, formatDriver, put } from "./helpers.ts";
import type { MemoryLayer } from "@cev/test-kit";

/** What a disk holds, from the outside in: each head yields the rest of the disk, in which the next one stands. */
type Head = { readonly word: "box" } | { readonly word: "array" | "pool"; readonly group: number };

const DISKS_MAX = 5;
const GROUPS = 4;

const head: fc.Arbitrary<Head> = fc.oneof(
  fc.constant<Head>({ word: "box" }),
  fc
    .nat(GROUPS - 1)
    .map((group) => ({ word: group % 2 === 0 ? ("array" as const) : ("pool" as const), group })),
);
const heads = fc.array(head, { maxLength: 4 });

/** What a group yields is the same whichever member it is read from, and holds only groups with higher numbers. */
function unify(disks: readonly (readonly Head[])[]): Head[][] {
  const insides = new Map<number, Head[]>();
  const rest = (own: readonly Head[], above: number): Head[] => {
    const [first, ...others] = own;
    if (first === undefined) return [];
    if (first.word === "box") return [first, ...rest(others, above)];
    if (first.group <= above) return rest(others, above);
    const inside = insides.get(first.group) ?? rest(others, first.group);
    insides.set(first.group, inside);
    return [first, ...inside];
  };
  return disks.map((own) => rest(own, -1));
}

function build(own: readonly Head[], index: number): MemoryLayer {
  const layer = disk("");
  let place = `d${index}`;
  let placeDepth = 0;
  for (const [depth, one] of own.entries()) {
    const isGroup = one.word !== "box";
    const name = isGroup ? `${one.word}${one.group}` : `box-${place}-${depth - placeDepth}`;
    put(layer, depth * 512, `${one.word}:${isGroup ? name : "-"}:${name}`);
    if (isGroup) {
      place = name;
      placeDepth = depth;
    }
  }
  return layer;
}

const shape = (stack: Stack): string[] =>
  stack.devices
    .map(
      (one) =>
        `${one.name} on ${one.lowers
          .map((lower) => lower.name)
          .toSorted()
          .join(" ")}`,
    )
    .toSorted();

async function discover(layers: readonly MemoryLayer[], order: readonly number[]): Promise<string[]> {
  await using stack = await openImages(
    order.map((index) => ({ name: `d${index}`, layer: layers[index]! })),
    { environment, drivers: ["array", "pool", "box"].map((word) => formatDriver(word)) },
  );
  expect(stack.problems.filter((one) => one.code !== "CEV_NOT_FOUND")).toEqual([]);
  return shape(stack);
}

test.prop([fc.array(heads, { minLength: 1, maxLength: DISKS_MAX }), fc.integer()])(
  "what is found does not depend on the order of the images, and everything is closed again",
  async (disks, seed) => {
    const layers = unify(disks).map(build);
    const order = layers.map((_, index) => index);
    const shuffled = order.toSorted((a, b) => ((a * 7919 + seed) % 13) - ((b * 7919 + seed) % 13) || a - b);
    const found = await discover(layers, order);
    expect(await discover(layers, shuffled)).toEqual(found);
    expect(await discover(layers, order.toReversed())).toEqual(found);
    for (const layer of layers) {
      expect(layer.claims.count).toBe(0);
      expect(layer.claims.openCount).toBe(0);
      expect(layer.log.every((one) => one.op === 0)).toBe(true);
    }
  },
);
