import { cpSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { golden, hashFiles } from "./helpers.ts";
import { run } from "./in-process.ts";
import { archiveApart, bytesOf, makeGroup } from "./lvm-helpers.ts";

archiveApart();

test("who wants one volume is not told how the others are", async () => {
  const group = await makeGroup();
  for (const name of ["a", "b"]) await group.lvm("lvcreate", "-L", "1M", "-n", name, "vg0");
  await group.lvm("lvchange", "-p", "r", "vg0/b");
  writeFileSync(join(group.cwd, "in"), "hello");
  expect(await group.cev("copy", "--device", "vg0/a", "--from", "in")).toMatchObject({
    status: 0,
    stderr: "",
  });
  const other = await group.cev("copy", "--device", "vg0/b", "--from", "in");
  expect(other).toMatchObject({ status: 1, stderr: expect.stringMatching(/vg0\/b/) as string });
});

test("one of two clones is written, drawn and changed apart from the other", async () => {
  const group = await makeGroup();
  await group.lvm("lvcreate", "-L", "1M", "-n", "a", "vg0");
  const [left, right] = ["left", "right"].map((folder) =>
    group.images.map((image) => join(group.cwd, folder, image)),
  );
  for (const folder of ["left", "right"])
    for (const image of group.images)
      cpSync(join(group.cwd, image), join(group.cwd, folder, image), { recursive: true });
  const both = [...left!, ...right!];
  const tree = (await run(["inspect", ...both])).stdout.toString();
  expect(tree).toMatch(/left\/d1\.img .*\n└─ vg0@left\/a .*\n/);
  expect(tree).toMatch(/right\/d1\.img .*\n└─ vg0@right\/a .*\n/);
  const [leftBefore, rightBefore] = [hashFiles(left!), hashFiles(right!)];
  writeFileSync(join(group.cwd, "in"), "written to the left one");
  const args = ["copy", ...both, "--device", "vg0@left/a", "--from", join(group.cwd, "in")];
  expect(await run(args)).toMatchObject({ status: 0 });
  expect(hashFiles(left!)).not.toBe(leftBefore);
  expect(await run(["lvm", "lvrename", "vg0@left/a", "b", ...both])).toMatchObject({ status: 0 });
  const { stdout } = await run(["lvm", "lvs", ...both, "-o", "lv_full_name", "--noheadings"]);
  expect(stdout.toString().trim().split(/\s+/)).toEqual(["vg0@left/b", "vg0@right/a"]);
  expect(hashFiles(right!)).toBe(rightBefore);
});

test("what was done is printed as JSON, too", async () => {
  const group = await makeGroup();
  const ended = await group.lvm("lvcreate", "-L", "1M", "-n", "a", "vg0", "--json");
  const answer = JSON.parse(ended.stdout.toString()) as {
    results: { command: string; group: string; seqnoBefore: number; seqnoAfter: number; writes: object[] }[];
    archived: string[];
    problems: object[];
  };
  expect(answer.results).toMatchObject([
    { command: "lvcreate", group: "vg0", seqnoBefore: 1, seqnoAfter: 2, isDryRun: false },
  ]);
  expect(answer.archived).toHaveLength(1);
  expect(statSync(answer.archived[0]!).mode & 0o077).toBe(0);
  expect(answer.problems).toEqual([]);
  const failed = await group.lvm("lvcreate", "-L", "1G", "vg0", "--json");
  expect(failed.status).toBe(1);
  expect(JSON.parse(failed.stdout.toString())).toMatchObject({
    problems: [{ severity: "error", code: "CEV_NO_SPACE" }],
  });
});

test("a change is not made where what it replaces cannot be saved", async () => {
  const group = await makeGroup();
  writeFileSync(join(group.cwd, "file"), "");
  const before = bytesOf(group);
  const ended = await group.lvm("lvcreate", "-L", "1M", "vg0", "--archive", "file");
  expect(ended).toMatchObject({
    status: 1,
    stderr: expect.stringMatching(/could not be saved.*-A n/) as string,
  });
  expect(bytesOf(group).equals(before)).toBe(true);
  expect(await group.lvm("lvcreate", "-L", "1M", "vg0", "--archive", "file", "-A", "n")).toMatchObject({
    status: 0,
  });
});

test("groups on partitions, arrays and locks are found and changed there", async () => {
  const { images, keys, folder, manifest } = golden("stack");
  const made = await run(
    ["lvm", "lvcreate", "-L", "1M", "-n", "more", "vg0", "--devices", ...images, ...keys],
    {
      cwd: folder,
    },
  );
  expect(made).toMatchObject({ status: 0 });
  const seen = await run(["lvm", "lvs", ...images, ...keys, "--noheadings", "-o", "lv_name"]);
  expect(seen.stdout.toString()).toMatch(/^ {2}more/m);
  const out = join(folder, "out");
  await run(["copy", ...images, ...keys, "--device", "vg0/root", "--to", out]);
  expect(hashFiles([out])).toBe(manifest.layers.find(({ name }) => name === "vg0/root")!.sha256);
});

test("a device that was taken out while it was away is a fault, and mended by name", async () => {
  const group = await makeGroup(3);
  const old = readFileSync(join(group.cwd, "d2.img"));
  await group.lvm("vgreduce", "vg0", "d2.img");
  writeFileSync(join(group.cwd, "d2.img"), old);
  const found = await group.lvm("vgck", "vg0");
  expect(found).toMatchObject({ status: 1, stderr: expect.stringMatching(/d2\.img/) as string });
  expect(await group.lvm("vgck", "--updatemetadata", "vg0")).toMatchObject({ status: 0 });
  expect(await group.lvm("vgck", "vg0")).toMatchObject({ status: 0, stderr: "" });
});

test.each([
  ["pvmove", /extents are not moved here/],
  ["vgdisplay", /cev lvm vgs -v/],
  ["pvscan", /nothing is scanned/],
])("of %s, which is not here, it is said what to do", async (command, words) => {
  const ended = await run(["lvm", command, "-v", "p0.img"]);
  expect(ended.status).toBe(2);
  expect(ended.stderr).toMatch(words);
});

test("to deactivate is done already", async () => {
  expect(await run(["lvm", "vgchange", "-an", "vg0"])).toMatchObject({ status: 0, stderr: "" });
  expect(await run(["lvm", "lvchange", "-aln", "vg0/a"])).toMatchObject({ status: 0, stderr: "" });
});

test("a label that is damaged is a fault of the group, by name", async () => {
  const group = await makeGroup();
  const path = join(group.cwd, "d1.img");
  const bytes = readFileSync(path);
  bytes[540]! ^= 0xff;
  writeFileSync(path, bytes);
  const found = await group.lvm("vgck", "vg0");
  expect(found.status).toBe(1);
  expect(found.stderr).toMatch(/d1\.img, LVM2 label in sector 1/);
});
