import type { LayerDescription } from "@cev/core";
import { Bench } from "./bench.ts";
import { LOSES_ALL } from "./left-out.ts";
import { expectThat } from "./subject.ts";
import type { AddCheck } from "./subject.ts";
import type { Tested } from "./tested.ts";
import { randomBatch } from "./work.ts";

/** What a layer says of itself is enough to make it again. */
export function describeChecks(tested: Tested, add: AddCheck): void {
  const { reopen, isPersistent = true } = tested.manifest;
  const without =
    reopen === undefined
      ? "it cannot be made from a description here (the manifest has no reopen)"
      : isPersistent
        ? null
        : LOSES_ALL;
  add(
    "made from its description, as JSON, it is the same layer: bytes, limits, support, and what it says of itself",
    () => Bench.run(tested, { seed: 130 }, remaking),
    without,
  );
}

async function remaking(bench: Bench): Promise<void> {
  const model = await bench.learn();
  for (let round = 0; round < 2; round++) {
    for (let count = 0; count < 4; count++) await randomBatch(bench, model, 4);
    const { limits, support } = bench.layer;
    const description = JSON.stringify(bench.layer.describe());
    await bench.reopen(JSON.parse(description) as LayerDescription);
    const again = JSON.stringify(bench.layer.describe());
    expectThat(
      again === description,
      `made from its description it describes itself otherwise: ${again} instead of ${description}`,
    );
    expectSame("limits", limits, bench.layer.limits);
    expectSame("support", support, bench.layer.support);
    await bench.compare(model, "after it was made from its description");
  }
}

function expectSame<T extends object>(what: string, before: T, after: T): void {
  for (const key of Object.keys(before) as (keyof T & string)[])
    expectThat(
      after[key] === before[key],
      `made from its description it has other ${what}: ${key} is ${String(after[key])} instead of ${String(before[key])}`,
    );
}
