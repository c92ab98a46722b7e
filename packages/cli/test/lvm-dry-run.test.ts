import { existsSync, readdirSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { temporaryFolder } from "./helpers.ts";
import { run } from "./in-process.ts";
import { archiveApart, bytesOf, sharedGroup } from "./lvm-helpers.ts";

archiveApart();

/** A group that no test changes: with the volume a, and an image beside it. */
const shared = sharedGroup(async ({ cwd, lvm }) => {
  await lvm("lvcreate", "-L", "2M", "-n", "a", "vg0");
  writeFileSync(join(cwd, "new.img"), "");
  truncateSync(join(cwd, "new.img"), 16 << 20);
});

describe("a dry run", () => {
  test.each([
    [["pvcreate", "new.img"]],
    [["pvresize", "d0.img"]],
    [["pvchange", "--addtag", "x", "d0.img"]],
    [["vgcreate", "vg1", "new.img"]],
    [["vgextend", "vg0", "new.img"]],
    [["vgreduce", "vg0", "d1.img"]],
    [["vgrename", "vg0", "vg1"]],
    [["vgchange", "-u", "vg0"]],
    [["vgexport", "vg0"]],
    [["vgremove", "-f", "vg0"]],
    [["vgck", "--updatemetadata", "vg0"]],
    [["lvcreate", "-L", "1M", "-n", "b", "vg0"]],
    [["lvcreate", "-s", "-L", "1M", "-n", "s", "vg0/a"]],
    [["lvextend", "-L", "+1M", "vg0/a"]],
    [["lvreduce", "-f", "-L", "1M", "vg0/a"]],
    [["lvrename", "vg0/a", "b"]],
    [["lvchange", "-p", "r", "vg0/a"]],
    [["lvremove", "vg0/a"]],
  ])("of %j changes no byte, and says what would be written", async (args) => {
    const group = await shared.group();
    const before = bytesOf(group, "new.img");
    const ended = await group.lvm(...args, "--test", "--archive", "saved");
    expect(ended).toMatchObject({ status: 0 });
    expect(ended.stdout.toString()).toMatch(
      /^dry run, nothing is written:\n(?: {2}.*\n)* {2}would write \d+ bytes/,
    );
    expect(bytesOf(group, "new.img").equals(before)).toBe(true);
    expect(existsSync(join(group.cwd, "saved"))).toBe(false);
  });

  test("makes no images", async () => {
    const cwd = temporaryFolder();
    const ended = await run(["lvm", "vgcreate", "vg0", "a.img", "--make-images", "1G", "--dry-run"], { cwd });
    expect(ended).toMatchObject({ status: 0, stderr: "" });
    expect(readdirSync(cwd)).toEqual([]);
  });
});
