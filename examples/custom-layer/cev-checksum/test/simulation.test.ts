import { deepEqual } from "node:assert/strict";
import { test } from "node:test";
import { campaign } from "@cev/test-kit";
import { kinds } from "./kind.ts";

const STEPS_MAX = 5_000;

await test("nothing is lost in random stacks under random work, whatever fails and whenever the power goes", async () => {
  const { failures } = await campaign({ seed: 1, kinds, stepsMax: STEPS_MAX });
  deepEqual(
    failures.map(({ line }) => line),
    [],
  );
});
