import { MemoryLayer } from "@cev/test-kit";
import { expect, test } from "vitest";
import { openStack } from "../src/open-stack.ts";
import { driverOf, environment } from "./helpers.ts";

const disk = (name: string): { name: string; layer: MemoryLayer } => ({
  name,
  layer: new MemoryLayer(environment, { size: 1 << 20 }),
});

test("what is released is let go of, with all below it that nothing else stands on", async () => {
  const [a, b, c] = ["a", "b", "c"].map(disk);
  const over = driverOf({ name: "over", lowers: { countMin: 1, countMax: 3 } });
  const description = {
    devices: {
      inner: { driver: "over", lower: "a" },
      other: { driver: "over", lower: "b" },
      top: { driver: "over", lowers: ["inner", "b", "c"] },
    },
  };
  await using stack = await openStack(description, { environment, drivers: [over], layers: [a!, b!, c!] });
  const counts = (): number[] => [a, b, c].map((one) => one!.layer.claims.openCount);
  const [ofA, ofB, ofC] = counts();
  expect(Math.min(ofA!, ofB!, ofC!)).toBeGreaterThan(0);
  await stack.release("inner");
  expect(counts()).toEqual([0, ofB, ofC]);
  await stack.release("other");
  expect(counts()).toEqual([0, ofB, ofC]);
});
