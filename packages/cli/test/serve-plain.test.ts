import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { Command, temporaryFolder } from "./helpers.ts";
import { run } from "./in-process.ts";

const SOCKETS = ["one/m.s", "two/m.s"];

/** A file that is a disk and carries nothing that is known here. */
function plainDisk(): string {
  const cwd = temporaryFolder();
  writeFileSync(join(cwd, "disk.img"), Buffer.alloc(1 << 20, "text"));
  return cwd;
}

test("a plain disk is served and copied without a word about what is in it, and names are printed in one line", async () => {
  const cwd = plainDisk();
  writeFileSync(join(cwd, "other.img"), Buffer.alloc(1 << 20));
  const stack = {
    devices: { d: { driver: "@cev/hw-file", path: "other.img" } },
    exports: { "two\nlines \u001b[2J": "d" },
  };
  writeFileSync(join(cwd, "st.json"), JSON.stringify(stack));
  const named = new Command(["serve", "st.json", "--verbose", "--socket", "s1"], { cwd });
  await named.until(/ready/);
  const serving = new Command(["serve", "disk.img", "--socket", "s"], { cwd });
  await serving.until(/ready/);
  const copied = await run(["copy", "nbd+unix:///?socket=s", "--device", "s", "--to", "out"], { cwd });
  expect(copied).toMatchObject({ status: 0, stderr: "" });
  expect(readFileSync(join(cwd, "out")).equals(readFileSync(join(cwd, "disk.img")))).toBe(true);
  await run(["copy", "nbd+unix:///?socket=s1", "--device", "s1", "--to", "out"], { cwd });
  serving.child.kill("SIGINT");
  named.child.kill("SIGINT");
  expect(await serving.ended).toMatchObject({ status: 0, stderr: "" });
  const { stdout, stderr } = await named.ended;
  expect(stdout.toString()).toMatch(/^serving two\?lines \?\[2J \(1 MiB\) at /);
  expect(stdout.toString() + stderr).not.toMatch(/\u001b|^lines/m);
});

test.each([
  { words: ["serve", "disk.img", "--socket", "no/s"], says: /there is no folder no; .*mkdir/ },
  {
    words: ["serve", "disk.img", "--listen", "192.0.2.1:0"],
    says: /there is no such address; .*this machine/,
  },
  { words: ["inspect", "nbd+unix:///?socket=s9"], says: /there is no such address; .*start the server/ },
])("what cannot be reached is told with what to do next: $words", async ({ words, says }) => {
  const { stderr, status } = await run(words, { cwd: plainDisk() });
  expect(stderr).toMatch(says);
  expect(status).toBe(1);
});

test("sockets of one name in two folders are named by their folders", async () => {
  const cwd = temporaryFolder();
  const uris = SOCKETS.map((socket) => `nbd+unix:///?socket=${socket}`);
  const { stdout } = await run(["inspect", ...uris, "--json"], { cwd });
  expect(stdout.toString()).toMatch(/one\/m\.s: /);
});
