import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DeviceFlag, decodeSuperblock, encodeSuperblock } from "@cev/raid";
import { describe, expect, test } from "vitest";
import { golden, hashFiles, temporaryFolder } from "./helpers.ts";
import { run } from "./in-process.ts";

interface Examined {
  readonly members: readonly { readonly [key: string]: unknown }[];
  readonly problems: readonly { readonly code: string; readonly message: string }[];
}

describe("cev raid examine", () => {
  test("shows each member as mdadm does", async () => {
    const { images } = golden("raid5-stale");
    const { stdout, stderr, status } = await run(["raid", "examine", ...images]);
    const text = stdout.toString();
    expect(stderr).toBe("");
    expect(status).toBe(0);
    expect(text).toMatch(/^disk0\.img:\n {10}Magic : a92b4efc\n {8}Version : 1\.2\n/);
    expect(text).toMatch(/ {5}Raid Level : raid5\n {3}Raid Devices : 4\n/);
    expect(text).toMatch(/ {3}Device Role : Active device 0\n/);
    expect(text).toMatch(/ {3}Array State : A\.AA \('A' == active, '\.' == missing, 'R' == replacing\)/);
    // The member that fell behind knows of no loss.
    expect(text).toMatch(/disk1\.img:[^]*Array State : AAAA[^]*disk2\.img:/);
  });

  test.each([
    ["examine", "--brief", "--export"],
    ["examine", "--bitmap", "--bad-blocks"],
    ["examine", "--bitmap", "--brief"],
    ["detail", "--brief", "--stack"],
  ])("%s takes %s or %s, not both", async (command, one, other) => {
    const { stderr, status } = await run(["raid", command, "a.img", one, other]);
    expect(stderr).toMatch(/option '--[a-z-]+' cannot be used with option '--[a-z-]+'/);
    expect(status).toBe(2);
  });

  test("--json has the same in bytes", async () => {
    const { images } = golden("raid-badblocks");
    const { stdout } = await run(["raid", "examine", ...images, "--json"]);
    const { members, problems } = JSON.parse(stdout.toString()) as Examined;
    expect(problems).toEqual([]);
    expect(members[0]).toMatchObject({
      device: "disk0.img",
      metadata: "1.2",
      role: 0,
      superOffset: 4096,
      dataOffset: 2048 * 512,
      badBlockLog: {
        hasEntries: true,
        ranges: [
          { start: 2056 * 512, length: 8 * 512 },
          { start: 2160 * 512, length: 24 * 512 },
        ],
      },
    });
  });

  test("--bitmap and --bad-blocks show those", async () => {
    const bitmap = golden("raid5-bitmap");
    const shown = await run(["raid", "examine", bitmap.images[0]!, "--bitmap"]);
    expect(shown.stdout.toString()).toMatch(/Events Cleared : \d+\n {11}State : OK\n[^]*Bitmap : \d+ bits/m);
    const { images } = golden("raid-badblocks");
    const listed = await run(["raid", "examine", ...images, "--bad-blocks"]);
    expect(listed.stdout.toString()).toMatch(
      /^Bad-blocks on disk0\.img:\n {16}2056 for 8 sectors\n {16}2160 for 24 sectors\nBad-blocks list is empty in disk1\.img\n/,
    );
  });

  test("of a damaged superblock names field and byte, shows the others, and fails", async () => {
    const { images } = golden("raid5-4k");
    const bytes = readFileSync(images[1]!);
    bytes[4096 + 92] = 0xff;
    writeFileSync(images[1]!, bytes);
    const { stdout, stderr, status } = await run(["raid", "examine", ...images]);
    expect(stderr).toMatch(/^cev: disk1\.img, md superblock, field sb_csum, at byte 4312: /);
    expect(stdout.toString()).toMatch(/^disk0\.img:[^]*^disk2\.img:/m);
    expect(status).toBe(1);
  });

  test("of what is no member says so, also as JSON", async () => {
    const { images } = golden("gpt");
    const { stderr, status } = await run(["raid", "examine", ...images]);
    expect(stderr).toMatch(/^cev: no md superblock was found in .*disk0\.img; cev inspect shows/);
    expect(status).toBe(1);
    const { stdout } = await run(["raid", "examine", "/nonexistent/x.img", "--json"]);
    const { problems } = JSON.parse(stdout.toString()) as Examined;
    expect(problems.map(({ code }) => code)).toEqual(["CEV_NOT_FOUND"]);
  });
});

describe("cev raid detail", () => {
  test("shows an array as mdadm does, and writes nothing", async () => {
    const { images } = golden("raid5-stale");
    const before = hashFiles(images);
    const { stdout, stderr, status } = await run(["raid", "detail", ...images.toReversed()]);
    const text = stdout.toString();
    expect(text).toMatch(/^md\/oracle:[^\n]*:\n {11}Version : 1\.2\n/);
    expect(text).toMatch(/ {13}State : clean, degraded\n {4}Active Devices : 3\n {3}Working Devices : 3\n/);
    expect(text).toMatch(/ {7}0 {8}0 {6}active sync {3}disk0\.img\n {7}- {8}1 {6}removed\n/);
    expect(text).toMatch(/ {4}Left out:\n {7}disk1\.img is stale: /);
    expect(stderr).toMatch(/^cev: warning: disk1\.img is stale/);
    expect(status).toBe(0);
    expect(hashFiles(images)).toBe(before);
  });

  test("--stack gives a stack file that opens it", async () => {
    const { images, folder } = golden("raid5-4k");
    const { stdout } = await run(["raid", "detail", ...images, "--stack"]);
    writeFileSync(`${folder}/r5.yaml`, stdout);
    const opened = await run(["inspect", `${folder}/r5.yaml`]);
    expect(opened.stdout.toString()).toMatch(/md\/oracle:small-chunks .* raid +clean/);
    expect(opened.status).toBe(0);
  });

  test("of members of two arrays asks which, and takes a name or a UUID", async () => {
    const one = golden("raid5-4k");
    const other = golden("raid5-bitmap");
    const images = [...one.images, ...other.images];
    const unclear = await run(["raid", "detail", ...images]);
    expect(unclear.stderr).toMatch(/^cev: these are members of 2 arrays: .*; name one of them with --uuid/);
    expect(unclear.status).toBe(1);
    const { stdout } = await run(["raid", "detail", ...images, "--name", "small-chunks", "--brief"]);
    expect(stdout.toString()).toMatch(
      /^ARRAY \/dev\/md\/small-chunks metadata=1\.2 name=oracle:small-chunks UUID=/,
    );
  });

  test("of too few members says what is missing", async () => {
    const { images } = golden("raid5-4k");
    const { stderr, status } = await run(["raid", "detail", images[0]!]);
    expect(stderr).toMatch(
      /^cev: .*needs 2 of its 3 devices; active devices 1, 2 are missing; give the other/,
    );
    expect(status).toBe(1);
  });
});

describe("cev inspect", () => {
  test.each([
    ["raid-spare", /, clean, events 3\n {2}0 active sync {2}disk0\.img\n[^]* {2}- spare {2}disk3\.img\n$/],
    [
      "raid-recovering",
      /, clean, degraded, events 17\n[^]* {2}1 spare rebuilding {2}disk1\.img \(33% rebuilt\)\n/,
    ],
    ["raid5-stale", / {2}1 removed\n[^]* {2}- left out {2}disk1\.img is stale: its event count is 19/],
    ["raid5-bitmap", /, clean, events 20, bitmap 0 of 192 bits set\n/],
    ["raid-resyncing", /: raid1, superblock 1\.2, active, resyncing \(PENDING\), events 8\n/],
    ["raid-reshape", /, events 14, reshape at byte 1572864\n[^]* {2}3 active sync {2}disk3\.img\n/],
    ["raid-090", /: raid5 left-symmetric, chunks of 64K, superblock 0\.90, clean, events 3, bitmap/],
  ])("shows how an array is: %s", async (name, words) => {
    const { stdout, status } = await run(["inspect", ...golden(name).images]);
    expect(stdout.toString()).toMatch(words);
    expect(status).toBe(0);
  });

  test("--json has the array as cev raid detail has it", async () => {
    const { images } = golden("raid-recovering");
    const inspected = await run(["inspect", ...images, "--json"]);
    const { devices } = JSON.parse(inspected.stdout.toString()) as { devices: { array?: unknown }[] };
    const detailed = await run(["raid", "detail", ...images, "--json"]);
    const { array } = JSON.parse(detailed.stdout.toString()) as { array: unknown };
    expect(devices.flatMap((one) => (one.array === undefined ? [] : [one.array]))).toEqual([array]);
  });
});

test("members that are to be read last are called so, by cev raid detail as by mdadm", async () => {
  const cwd = temporaryFolder();
  await run(["raid", "create", "x", "--level", "1", "--make-images", "4M", "a", "b"], { cwd });
  const path = join(cwd, "b");
  const bytes = readFileSync(path);
  const place = { source: "b", deviceSize: bytes.length, version: "1.2", byteOffset: 4096 } as const;
  const superblock = decodeSuperblock(bytes.subarray(4096, 8192), place);
  bytes.set(encodeSuperblock({ ...superblock, deviceFlags: DeviceFlag.writeMostly }), 4096);
  writeFileSync(path, bytes);
  const { stdout } = await run(["raid", "detail", "a", "b"], { cwd });
  expect(stdout.toString()).toMatch(/active sync {3}a\n.*active sync writemostly {3}b\n/);
  const json = JSON.parse(
    (await run(["raid", "detail", "a", "b", "--json"], { cwd })).stdout.toString(),
  ) as unknown;
  expect(json).toMatchObject({ array: { members: [{ isWriteMostly: false }, { isWriteMostly: true }] } });
});

describe("the help", () => {
  const commands = ["examine", "detail", "create", "assemble", "add", "fail", "remove"];

  test.each([...commands, "rebuild", "check", "repair", "grow", "stop"])(
    "of cev raid %s has examples",
    async (name) => {
      const { stdout, stderr, status } = await run(["raid", name, "--help"]);
      expect(stdout.toString()).toMatch(
        new RegExp(`^Usage: cev raid ${name} [^]*^Examples:\\n {2}\\$ cev raid ${name} `, "m"),
      );
      expect(stdout.toString()).toMatch(/mdadm|sync_action|Exit status|Rebuilds what is missing/);
      expect({ stderr, status }).toEqual({ stderr: "", status: 0 });
    },
  );

  test("of cev raid says what mdadm calls each of them", async () => {
    const { stdout } = await run(["raid", "--help"]);
    for (const name of [...commands, "check", "grow", "stop"])
      expect(stdout.toString()).toMatch(new RegExp(`^ {2}(mdadm|echo check) .* cev raid .*${name}`, "m"));
  });
});
