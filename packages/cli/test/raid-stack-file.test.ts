import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { sha256, temporaryFolder } from "./helpers.ts";
import { run } from "./in-process.ts";

const disk = (name: string): string =>
  `  ${name}: { driver: "@cev/hw-file", path: ${name}.img, create: true, size: 6291456 }`;

/** A stack file of a RAID6 with a spare, which makes what is not there. */
const STACK = [
  "devices:",
  ...["d0", "d1", "d2", "d3", "s"].map(disk),
  '  r6: { driver: "@cev/raid", members: [d0, d1, d2, d3, s], create: { level: 6, chunkSize: 65536, spareCount: 1 } }',
].join("\n");

test("a stack file makes its array where there is none, and opens it afterwards, with its spare", async () => {
  const cwd = temporaryFolder();
  writeFileSync(join(cwd, "stack.yaml"), STACK);
  const bytes = Buffer.alloc(300_000, "cev");
  writeFileSync(join(cwd, "in"), bytes);
  const looked = await run(["inspect", "stack.yaml"], { cwd });
  expect(looked.status).toBe(1);
  expect(existsSync(join(cwd, "d0.img"))).toBe(false);

  const copied = await run(["copy", "stack.yaml", "--device", "r6", "--from", "in"], { cwd });
  expect(copied.status).toBe(0);
  const shown = await run(["inspect", "stack.yaml"], { cwd });
  expect(shown.stdout.toString()).toMatch(
    /^r6: raid6 left-symmetric, chunks of 64K, [^]* {2}- spare {2}s\n$/m,
  );
  await run(["copy", "stack.yaml", "--device", "r6", "--to", "out"], { cwd });
  expect(sha256(readFileSync(join(cwd, "out")).subarray(0, bytes.length))).toBe(sha256(bytes));

  const failed = await run(["raid", "fail", "stack.yaml", "--device", "d2.img"], { cwd });
  expect(failed.stdout.toString()).toBe("d2 has been failed\nr6: clean, 4 of 4 devices active\n");
  expect(await run(["raid", "check", join(cwd, "stack.yaml")])).toMatchObject({ status: 0 });
});
