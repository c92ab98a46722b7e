import { Device, closeTree, environmentFrom, openTree } from "@cev/core";
import type { Support } from "@cev/core";
import { DurabilityModel, PowerCutLayer, Random } from "@cev/test-kit";
import { describe, expect, test } from "vitest";
import { CompressLayer, findSuperblock, formatCompressed } from "../src/index.ts";
import { BLOCK, work } from "./support/crash-rig.ts";

const KIB = 1024;
const hasAllCases = process.env["CEV_ALL_CASES"] !== undefined;
const environment = environmentFrom(globalThis);
const seeds = Array.from({ length: hasAllCases ? 20 : 1 }, (_, index) => 1000 + index);
// Of the moments that are not looked at again, one is as good as another.
const momentsMax = hasAllCases ? 60 : 14;

async function blankImage(size: number, chunkSize: number): Promise<{ image: Uint8Array; size: number }> {
  const disk = new PowerCutLayer(environment, { size });
  await openTree(disk);
  const superblock = await formatCompressed(disk, environment, { chunkSize, journalLength: 16 * KIB });
  await closeTree(disk);
  return { image: disk.imageAfterCut(new Random(1)), size: superblock.size };
}

describe("when the power goes before or after any change", () => {
  const kinds: [string, Partial<Support>, number][] = [
    ["with FUA below", {}, 0],
    ["without FUA below", { fua: "none", writeZeroes: "none", discard: "none" }, 0],
    ["with requests below that fail, done or not", {}, 0.1],
  ];
  const cases = seeds.flatMap((seed) =>
    kinds.map(([kind, support, faultChance]) => ({ seed, kind, support, faultChance })),
  );

  test.each(cases)(
    "seed $seed, $kind: what was durable is there, the rest is old or new, and once more while it is opened",
    async ({ seed, support, faultChance }) => {
      const { image, size } = await blankImage(128 * KIB, 4 * KIB);
      const random = new Random(seed);
      const model = new DurabilityModel(new Uint8Array(size), BLOCK);
      const moments = await work(environment, { support, image, model, seed, roundCount: 40, faultChance });
      const looked = moments.length <= momentsMax ? moments : random.shuffled(moments).slice(0, momentsMax);
      let momentCount = moments.length;
      for (const [index, moment] of looked.entries()) {
        const again = { support, image: moment.images[0]!, seed: seed + index, roundCount: 3 };
        const later = await work(environment, { ...again, model: moment.context });
        momentCount += later.length;
        const [last] = random.shuffled(later);
        if (last === undefined) continue;
        await work(environment, { ...again, image: last.images[0]!, model: last.context, roundCount: 2 });
      }
      expect(momentCount).toBeGreaterThan(400);
    },
  );
});

test("when the power goes while it is made, it is blank, or made", async () => {
  const seen = new Set<string>();
  for (let seed = 1; seed <= 60; seed++) {
    const random = new Random(seed);
    const disk = new PowerCutLayer(environment, { size: 128 * KIB, completion: "later" });
    await openTree(disk);
    const making = formatCompressed(disk, environment, { chunkSize: 4 * KIB, journalLength: 16 * KIB });
    making.catch(() => undefined);
    for (let turns = random.below(20); turns > 0; turns--)
      await new Promise<void>((resolve) => environment.later(resolve));
    disk.cut(random);
    await making.catch(() => undefined);
    const found = await findSuperblock(disk, environment).catch(
      (error: unknown) => (error as { code: string }).code,
    );
    seen.add(typeof found === "string" ? found : "made");
    if (typeof found === "string") continue;
    const { superblock } = found;
    await using device = await Device.open(new CompressLayer(disk, { superblock, environment }), environment);
    expect((await device.read(0, device.size)).every((byte) => byte === 0)).toBe(true);
  }
  expect([...seen].toSorted()).toContain("made");
  expect([...seen].every((state) => ["blank", "made", "other", "CEV_BAD_METADATA"].includes(state))).toBe(
    true,
  );
});
