import { expect, test } from "vitest";
import { Burst } from "../src/burst.ts";

test("whoever keeps requests is told once, when the outermost burst ends", () => {
  const burst = new Burst();
  let toldCount = 0;
  const user = { burstEnded: () => toldCount++ };
  expect(burst.isOn).toBe(false);
  burst.begin();
  burst.begin();
  burst.atEnd(user);
  burst.end();
  expect(burst.isOn).toBe(true);
  expect(toldCount).toBe(0);
  burst.end();
  expect(burst.isOn).toBe(false);
  expect(toldCount).toBe(1);
  burst.begin();
  burst.end();
  expect(toldCount).toBe(1);
});

test("a burst within the end of one tells everybody once too", () => {
  const burst = new Burst();
  const told: string[] = [];
  const user = (name: string): { burstEnded(): void } => ({
    burstEnded() {
      told.push(name);
      expect(burst.isOn).toBe(false);
      if (name !== "b") return;
      burst.begin();
      burst.atEnd(user("c"));
      burst.end();
    },
  });
  burst.begin();
  burst.atEnd(user("a"));
  burst.atEnd(user("b"));
  burst.end();
  expect(told.toSorted()).toEqual(["a", "b", "c"]);
});
