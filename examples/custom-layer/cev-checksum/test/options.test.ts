import { deepEqual } from "node:assert/strict";
import { test } from "node:test";
import type { StandardResult } from "@cev/core";
import { driver } from "../src/index.ts";
import type { Options } from "../src/index.ts";

async function check(value: unknown): Promise<StandardResult<Options>> {
  return await driver.options["~standard"].validate(value);
}

await test("what is left out has its default", async () => {
  deepEqual(await check({}), { value: { memoryMax: 67_108_864 } });
});

await test("what is given is taken", async () => {
  const given = { create: { blockSize: 4096 }, memoryMax: 1_048_576 };
  deepEqual(await check(given), { value: given });
});

for (const [given, path] of [
  [{ memoryMax: 0 }, ["memoryMax"]],
  [{ memoryMax: "64M" }, ["memoryMax"]],
  [{ create: true }, ["create"]],
  [{ create: { blockSize: 1000 } }, ["create", "blockSize"]],
  [{ create: { size: 4096 } }, ["create", "size"]],
  [{ crate: {} }, ["crate"]],
] as const) {
  await test(`${JSON.stringify(given)} is refused, and the error says where it stands`, async () => {
    const { issues = [] } = await check(given);
    deepEqual(
      issues.map((issue) => issue.path),
      [path],
    );
  });
}
