import { createHash } from "node:crypto";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { main } from "@cev/cli";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { runSource } from "../../scripts/run-source.ts";
import type { EndedProgram } from "../../scripts/run-source.ts";
import { unpackGolden } from "../../tests/interop/golden/unpack.ts";

const folder = mkdtempSync(join(tmpdir(), "cev-restore-lvm-"));
const [monday, tuesday] = [join(folder, "monday"), join(folder, "tuesday")];
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function cev(...args: string[]): Promise<void> {
  const out = vi.spyOn(process.stdout, "write").mockImplementation(() => true);
  try {
    expect(await main(args)).toBe(0);
  } finally {
    out.mockRestore();
  }
}

/** A group on two disks, with a file system that a kernel made; and its clone, in which one file says something else. */
beforeAll(async () => {
  const stack = join(folder, "stack");
  mkdirSync(stack);
  mkdirSync(monday);
  const { images, manifest } = unpackGolden("stack", stack);
  const secret = join(folder, "secret");
  writeFileSync(secret, manifest.passphrase ?? "");
  const root = join(folder, "root.img");
  await cev("copy", ...images, "--device", "vg0/root", "--to", root, "--passphrase-file", secret);
  const disks = [join(monday, "sda.img"), join(monday, "sdb.img")];
  await cev("lvm", "vgcreate", "vg0", ...disks, "--make-images", "16M", "-A", "n");
  await cev("lvm", "lvcreate", "-A", "n", "-i", "2", "-L", "16M", "-n", "root", "vg0", ...disks);
  await cev("copy", ...disks, "--device", "vg0/root", "--from", root);
  cpSync(monday, tuesday, { recursive: true });
  const changed = readFileSync(root);
  changed.write("tuesday now", changed.indexOf("Hello from the kernel.") + "Hello from ".length);
  writeFileSync(root, changed);
  const clones = [join(tuesday, "sda.img"), join(tuesday, "sdb.img")];
  await cev("copy", ...clones, "--device", "vg0/root", "--from", root);
});

const restore = (...args: string[]): EndedProgram => runSource(join(import.meta.dirname, "main.ts"), ...args);

const hashOf = (path: string): string => createHash("sha256").update(readFileSync(path)).digest("hex");

describe("two backups of one group, side by side", () => {
  test("each gives the file as it has it, and no image is written", () => {
    const paths = [monday, tuesday].flatMap((day) => [join(day, "sda.img"), join(day, "sdb.img")]);
    const before = paths.map(hashOf);
    const { status, stdout, stderr } = restore("/hello.txt", monday, tuesday);
    expect(stderr).toMatch(/2 groups are named vg0/);
    expect(stdout).toBe(
      `== ${monday} (vg0@monday/root)\nHello from the kernel.\n` +
        `== ${tuesday} (vg0@tuesday/root)\nHello from tuesday now\n`,
    );
    expect(status).toBe(0);
    expect(paths.map(hashOf)).toEqual(before);
  });

  test("what did not change is said to be the same", () => {
    const { stdout, status } = restore("/docs/deep/deeper/numbers.txt", monday, tuesday);
    expect(stdout).toMatch(/499\n500\n== .*tuesday \(vg0@tuesday\/root\): the same\n$/);
    expect(status).toBe(0);
  });

  test("a volume that is not there is named, with those that are", () => {
    const { status, stderr } = restore("/hello.txt", "--volume", "vg0/home", monday);
    expect(stderr).toMatch(/no volume vg0\/home in .*monday; there are .*vg0\/root/);
    expect(status).toBe(1);
  });
});
