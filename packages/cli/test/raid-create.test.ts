import { existsSync, readdirSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { golden, hashFiles, sha256, temporaryFolder } from "./helpers.ts";
import { run } from "./in-process.ts";

describe("cev raid create", () => {
  test("makes images and an array on them, which is clean as it is", async () => {
    const cwd = temporaryFolder();
    const args = ["raid", "create", "data", "--level", "6", "--chunk", "64K", "--make-images", "4M"];
    const made = await run([...args, "a", "b", "c", "d", "s", "--spare-devices", "1"], { cwd });
    expect(made).toMatchObject({ status: 0, stderr: "" });
    expect(made.stdout.toString()).toMatch(/^made md\/data:\n[^]*Chunk Size : 64K\n[^]*^ {2}s: spare$/m);
    expect(statSync(join(cwd, "s")).size).toBe(4 << 20);
    const { stdout } = await run(["raid", "examine", "s", "b", "--json"], { cwd });
    const { members } = JSON.parse(stdout.toString()) as { members: { [key: string]: unknown }[] };
    expect(members).toMatchObject([
      { role: "spare", level: "raid6", memberCount: 4, chunkSize: 65_536, isClean: true },
      { role: 1, arrayName: "data", layout: "left-symmetric", metadata: "1.2" },
    ]);
  });

  test("--dry-run says what would be written where, and makes nothing", async () => {
    const cwd = temporaryFolder();
    const args = [
      "raid",
      "create",
      "x",
      "--level",
      "10",
      "--layout",
      "f2",
      "--bitmap",
      "internal",
      "--dry-run",
    ];
    const { stdout, status } = await run([...args, "--make-images", "4M", "a", "b", "missing"], { cwd });
    expect(stdout.toString()).toMatch(/^would make md\/x:\n[^]*Layout : far=2\n/);
    expect(stdout.toString()).toMatch(
      /a: active device 0, superblock at byte 4096 \(4096 bytes\), bitmap at byte 8192/,
    );
    expect(status).toBe(0);
    expect(readdirSync(cwd)).toEqual([]);
  });

  test("refuses devices that carry something, until it is forced", async () => {
    const { images, folder } = golden("gpt");
    const before = hashFiles(images);
    const args = ["raid", "create", "x", "--level", "1", images[0]!, "missing"];
    const { stderr, status } = await run(args);
    expect(stderr).toMatch(
      /disk0\.img: it carries something already: .*; choose another device, or add --force/,
    );
    expect(status).toBe(1);
    expect(hashFiles(images)).toBe(before);
    expect(readdirSync(folder)).not.toContain("missing");
    expect(await run([...args, "--force"])).toMatchObject({ status: 0 });
    const { stdout } = await run(["raid", "examine", images[0]!, "--json"]);
    expect(JSON.parse(stdout.toString())).toMatchObject({ members: [{ level: "raid1", arrayState: "A." }] });
  });

  test("refuses a file system, which no driver opens, as well", async () => {
    const folder = temporaryFolder();
    const image = join(folder, "root.img");
    const bytes = Buffer.alloc(4 << 20);
    bytes.writeUInt16LE(0xef53, 1080);
    writeFileSync(image, bytes);
    const { stderr, status } = await run(["raid", "create", "x", "--level", "1", image, "missing"]);
    expect(stderr).toMatch(/root\.img: it carries something already: an ext2, ext3 or ext4 file system;/);
    expect(status).toBe(1);
    expect(hashFiles([image])).toBe(sha256(bytes));
  });

  test("makes a mirror of one member when it is forced", async () => {
    const cwd = temporaryFolder();
    const args = ["raid", "create", "x", "--level", "1", "--make-images", "4M", "a"];
    const { stderr } = await run(args, { cwd });
    expect(stderr).toMatch(/an array of one member is unusual/);
    expect(await run([...args, "--force"], { cwd })).toMatchObject({ status: 0, stderr: "" });
  });

  test("takes images whose last bytes are no whole block", async () => {
    const cwd = temporaryFolder();
    for (const name of ["a", "b"]) {
      writeFileSync(join(cwd, name), "");
      truncateSync(join(cwd, name), (4 << 20) + 193);
    }
    const { status } = await run(["raid", "create", "x", "--level", "1", "--assume-clean", "a", "b"], {
      cwd,
    });
    expect(status).toBe(0);
    expect(await run(["raid", "check", "a", "b"], { cwd })).toMatchObject({ status: 0 });
  });

  test("leaves no images behind when the array cannot be made", async () => {
    const cwd = temporaryFolder();
    const args = [
      "raid",
      "create",
      "x",
      "--level",
      "5",
      "--chunk",
      "96K",
      "--make-images",
      "4M",
      "a",
      "b",
      "c",
    ];
    const { stderr, status } = await run(args, { cwd });
    expect(stderr).toMatch(/^cev: a chunk of 98304 bytes is impossible/);
    expect(status).toBe(1);
    expect(existsSync(join(cwd, "a"))).toBe(false);
  });

  test("a name that does not fit is refused, not cut", async () => {
    const { stderr, status } = await run(["raid", "create", "ä".repeat(16), "--level", "1", "a", "b"]);
    expect(stderr).toMatch(/^cev: the name has 32 bytes, and superblocks have room for 31;/);
    expect(status).toBe(2);
  });

  test.each([
    [["--level", "7", "a"], "--level takes linear, 0, 1, 4, 5, 6 or 10, not 7"],
    [
      ["--level", "5", "--raid-devices", "3", "a", "b"],
      /^3 members and 0 spares make 3, and 2 devices are named/,
    ],
    [
      ["--level", "5", "--layout", "n2", "a", "b", "c"],
      /^raid5 has no layout n2; RAID5 and 6 know left-symmetric/,
    ],
    [["--level", "10", "--layout", "n3", "a", "b"], /^raid10 of 2 members has no layout n3;/],
    [["--level", "5", "a", "./a", "b"], /^\/.*\/a is named twice;/],
    [["--levle", "5", "a", "b"], /^unknown option '--levle'/],
    [["a", "b"], /^--level is missing: linear, 0, 1/],
    [["--level", "5", "--chunk", "big", "a", "b"], /^--chunk takes a size such as 512K/],
  ])("called the wrong way says how: %j", async (args, message) => {
    const { stderr, status } = await run(["raid", "create", "x", ...args]);
    expect(stderr.replace(/^cev: /, "")).toMatch(message);
    expect(stderr).toMatch(/; see cev raid create --help\n$/);
    expect(status).toBe(2);
  });
});
