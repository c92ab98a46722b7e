import { FULL_SUPPORT, READ_ONLY_SUPPORT } from "@cev/core";
import { expect, test } from "vitest";
import { AsyncNoOpLayer, MemoryLayer, NoOpLayer, conformanceOf } from "../src/index.ts";
import type { Manifest } from "../src/index.ts";
import { testLayer } from "../src/entries/vitest.ts";

testLayer({
  name: "a disk in memory",
  manifest: { support: FULL_SUPPORT, isPersistent: false },
  create: ({ environment }) => new MemoryLayer(environment, { size: 65_536, completion: "random" }),
});

testLayer({
  name: "a layer that does nothing",
  manifest: { support: FULL_SUPPORT },
  create: (bench) => new NoOpLayer(bench.lower({ size: 65_536 })),
});

testLayer({
  name: "an async layer that does nothing",
  manifest: { support: { ...FULL_SUPPORT, discard: "none" } },
  create: (bench) => new AsyncNoOpLayer(bench.lower({ size: 65_536, support: { discard: "none" } })),
});

testLayer({
  name: "a layer that does nothing, in a simulated world",
  manifest: { support: FULL_SUPPORT, world: "simulated" },
  create: (bench) => new NoOpLayer(bench.lower({ size: 65_536 })),
});

test("in a simulated world a request that nobody will ever end is found without waiting for it", async () => {
  class Hanging extends NoOpLayer {
    override submit(): void {}
  }
  const { checks } = conformanceOf({
    name: "a layer that hangs",
    // In real time that would be a day.
    manifest: { support: FULL_SUPPORT, world: "simulated", deadlineMs: 86_400_000 },
    create: (bench) => new Hanging(bench.lower({ size: 65_536 })),
  });
  const check = checks.find(({ theme }) => theme === "limits")!;
  await expect(check.run()).rejects.toThrow(/did not complete within 86400000 ms/);
});

const MANIFESTS: readonly Manifest[] = [
  { support: FULL_SUPPORT },
  { support: FULL_SUPPORT, isPersistent: false },
  { support: READ_ONLY_SUPPORT },
  { support: FULL_SUPPORT, lostLowersMax: 1, canHideErrors: true },
  { support: FULL_SUPPORT, skip: { errors: "of one reason", durability: "of another" } },
  { support: { ...FULL_SUPPORT, flush: "none", fua: "none", discard: "none" }, atomicLength: 4096 },
];

test("whatever a manifest says, each check is there, or is left out with a reason", () => {
  const counts = MANIFESTS.map((manifest) => {
    const create = (): never => expect.unreachable("nothing is made before a check runs");
    const { checks, skipped } = conformanceOf({ name: "a layer", manifest, create });
    for (const { reason } of skipped) expect(reason).toMatch(/\w{2}/);
    return checks.length + skipped.length;
  });
  expect(new Set(counts).size).toBe(1);
});
