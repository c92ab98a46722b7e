import { deepEqual, equal } from "node:assert/strict";
import { test } from "node:test";
import type { StandardResult } from "@cev/core";
import { driver } from "../src/index.ts";
import type { Options } from "../src/index.ts";

async function check(value: unknown): Promise<StandardResult<Options>> {
  return await driver.options["~standard"].validate(value);
}

await test("what is left out has its default", async () => {
  deepEqual(await check({}), { value: { start: 0 } });
});

await test("what is given is taken", async () => {
  deepEqual(await check({ start: 4096 }), { value: { start: 4096 } });
});

for (const start of [-1, 0.5, "4096", null]) {
  await test(`start may not be ${JSON.stringify(start)}, and the error says where it stands`, async () => {
    const { issues = [] } = await check({ start });
    deepEqual(
      issues.map(({ path }) => path),
      [["start"]],
    );
  });
}

await test("an option that does not exist is refused", async () => {
  const { issues = [] } = await check({ strat: 4096 });
  equal(issues.length, 1);
});
