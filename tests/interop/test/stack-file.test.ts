import { writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { expect, test } from "vitest";
import { cev, hashDevice } from "../src/cev.ts";
import { GoldenCopy } from "../src/golden-copy.ts";

/** The golden stack as a file; the members in another order than they were made in. */
function writeStackFile(golden: GoldenCopy, indexes: readonly number[]): string {
  const names = indexes.map((index) => `d${index}`);
  const disks = indexes.map(
    (index) => `  d${index}: { driver: "@cev/hw-file", path: ${basename(golden.images[index]!)} }`,
  );
  const path = join(golden.folder, "stack.yaml");
  writeFileSync(
    path,
    `devices:
${disks.join("\n")}
  r5: { driver: "@cev/raid", members: [${names.join(", ")}] }
  plain: { driver: "@cev/crypt", lower: r5, passphrase: { file: ./passphrase } }
  vg0: { driver: "@cev/lvm", lowers: [plain] }
exports:
  root: vg0/root
`,
  );
  return path;
}

test("the kernel's disks, named in a stack file", async () => {
  using golden = new GoldenCopy("stack");
  const before = golden.hashImages();
  const file = writeStackFile(golden, [2, 0, 3, 1]);
  for (const [device, layer] of [
    ["root", "vg0/root"],
    ["vg0/other", "vg0/other"],
    ["plain", "luks"],
    ["r5", "md"],
  ] as const) {
    const { size, sha256 } = golden.layer(layer);
    const copy = await hashDevice(device, [file]);
    expect(copy, copy.stderr).toMatchObject({ status: 0, size, sha256 });
  }
  expect(golden.hashImages()).toBe(before);
});

test("a degraded array in a stack file is written only with --degraded", async () => {
  using golden = new GoldenCopy("stack");
  const before = golden.hashImages();
  const file = writeStackFile(golden, [0, 1, 3]);
  const content = join(golden.folder, "content");
  writeFileSync(content, "x".repeat(golden.layer("vg0/other").size));
  const refused = await cev(["copy", file, "--device", "vg0/other", "--from", content]);
  expect(refused).toMatchObject({ status: 1 });
  expect(refused.stderr).toMatch(/--degraded/);
  expect(golden.hashImages(), "nothing was written").toBe(before);
  const copied = await cev(["copy", file, "--device", "vg0/other", "--from", content, "--degraded"]);
  expect(copied, copied.stderr).toMatchObject({ status: 0 });
  expect(golden.hashImages()).not.toBe(before);
});
