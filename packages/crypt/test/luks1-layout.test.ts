import { describe, expect, test } from "vitest";
import { placeLuks1Keyslots, planLuks1Layout } from "../src/luks1/layout.ts";
import type { Luks1LayoutRequest } from "../src/luks1/layout.ts";

const MIB = 1024 * 1024;
const plan = (request: Partial<Luks1LayoutRequest> & { readonly keySize: number }): number[] => {
  const layout = planLuks1Layout({ deviceSize: 20 * MIB, ...request });
  return [layout.dataOffset, ...[0, 1, 7].map((id) => layout.areas[id]!.offset)].map(
    (offset) => offset / 512,
  );
};

/** Sectors: of the data, and of keyslots 0, 1 and 7, as `cryptsetup` 2.6.1 writes them. */
describe("parts lie where cryptsetup luksFormat puts them", () => {
  test.each<[keySize: number, areas: readonly number[], ordinary: number, tight: number]>([
    [16, [8, 136, 904], 2048, 1032],
    [24, [8, 200, 1352], 2048, 1544],
    [32, [8, 264, 1800], 4096, 2056],
    [64, [8, 512, 3536], 4096, 4040],
  ])("keys of %i bytes", (keySize, areas, ordinary, tight) => {
    expect(plan({ keySize })).toEqual([ordinary, ...areas]);
    expect(plan({ keySize, alignment: 512 })).toEqual([tight, ...areas]);
    expect(plan({ keySize, alignment: 4096 })).toEqual([tight, ...areas]);
    expect(plan({ keySize, alignment: 4 * MIB })).toEqual([8192, ...areas]);
    expect(plan({ keySize, dataOffset: 4104 * 512 })).toEqual([4104, ...areas]);
    expect(plan({ keySize, isDetached: true })).toEqual([0, ...areas]);
    expect(plan({ keySize, isDetached: true, alignment: 4 * MIB })).toEqual([8192, ...areas]);
    expect(plan({ keySize, isDetached: true, dataOffset: 4104 * 512 })).toEqual([4104, ...areas]);
    expect(() => plan({ keySize, isDetached: true, alignment: 4096 })).toThrow(/keyslots end/);
  });

  test("a detached header fits a file of just its own length", () => {
    const { headerLength } = planLuks1Layout({ deviceSize: MIB + 4096, keySize: 32, isDetached: true });
    expect(headerLength).toBe(1_052_672);
  });
});

describe("what cannot be is refused", () => {
  test.each<[name: string, request: Partial<Luks1LayoutRequest>]>([
    ["a device that ends within the header", { deviceSize: MIB, isDetached: true }],
    ["a device that ends before its data", { deviceSize: 2 * MIB }],
    ["data within the keyslots", { dataOffset: MIB }],
    ["data within a sector", { dataOffset: 4 * MIB + 1 }],
    ["data that 32 bits do not count to", { dataOffset: 2 ** 41, deviceSize: 2 ** 42 }],
    ["an alignment of no whole sectors", { alignment: 1000 }],
  ])("%s", (_name, request) => {
    expect(() => plan({ keySize: 32, ...request })).toThrow(expect.objectContaining({ code: "CEV_INVALID" }));
  });

  test("places of a ninth keyslot, or for another key", () => {
    const layout = planLuks1Layout({ deviceSize: 20 * MIB, keySize: 32 });
    expect(placeLuks1Keyslots(layout, 32, [7, 0]).map(({ id, area }) => [id, area.offset])).toEqual([
      [7, 1800 * 512],
      [0, 4096],
    ]);
    const refusal: unknown = expect.objectContaining({ code: "CEV_INVALID" });
    expect(() => placeLuks1Keyslots(layout, 32, [8])).toThrow(refusal);
    expect(() => placeLuks1Keyslots(layout, 64, [0])).toThrow(refusal);
  });
});
