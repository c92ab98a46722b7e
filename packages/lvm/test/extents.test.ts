import { closeTree, extentsOf, openTree } from "@cev/core";
import type { Layer } from "@cev/core";
import { MemoryLayer } from "@cev/test-kit";
import { describe, expect, test } from "vitest";
import { MirrorLayer } from "../src/volumes/mirror/mirror-layer.ts";
import { ErrorLayer, ZeroLayer } from "../src/volumes/target-layer.ts";
import { environment } from "./support/open.ts";

const REGION = 4096;

/** By region: "d" data, "h" hole. */
function disk(regions: string): MemoryLayer {
  const layer = new MemoryLayer(environment, { size: regions.length * REGION });
  Array.from(regions).forEach((region, at) => {
    if (region === "d") layer.bytes.fill(1, at * REGION, (at + 1) * REGION);
  });
  return layer;
}

async function mapOf(layer: Layer): Promise<string> {
  const extents = await extentsOf(layer, 0, layer.limits.size);
  return extents.map(({ length, isZero }) => (isZero ? "h" : "d").repeat(length / REGION)).join("");
}

function mirror(images: readonly (Layer | null)[]): MirrorLayer {
  return new MirrorLayer({
    name: "vg0/root",
    environment,
    size: 4 * REGION,
    regionSize: REGION,
    images,
    log: null,
    isLogMissing: false,
    isReadOnly: true,
    report: () => undefined,
  });
}

describe("extents of volumes", () => {
  test("a mirror shows those of its first image, from which it is read", async () => {
    const layer = mirror([disk("dhhd"), disk("hhhh")]);
    await openTree(layer);
    expect(await mapOf(layer)).toBe("dhhd");
    const [first] = await extentsOf(layer, 0, REGION);
    expect(first!.hasCopies).toBe(true);
    await closeTree(layer);
  });

  test("without its first image nothing is promised", async () => {
    const layer = mirror([null, disk("hhhh")]);
    await openTree(layer);
    expect(await mapOf(layer)).toBe("dddd");
    await closeTree(layer);
  });

  test("zeroes are a hole, and what is lost is not", async () => {
    expect(await mapOf(new ZeroLayer(2 * REGION))).toBe("hh");
    expect(await mapOf(new ErrorLayer(2 * REGION))).toBe("dd");
  });
});
