import { randomBytes } from "node:crypto";
import { readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { Command, driverModule, golden, hashFiles, layerHash, sha256, temporaryFolder } from "./helpers.ts";
import { run } from "./in-process.ts";

interface Answer {
  readonly array: {
    readonly state: string;
    readonly size: number;
    readonly mismatchCount: number | null;
    readonly members: readonly { readonly device: string | null; readonly state: string }[];
  };
}

/** A folder with an array of members m0, m1… that holds random bytes. */
async function makeArray(
  level: string,
  memberCount: number,
  options: readonly string[] = [],
): Promise<{ cwd: string; members: string[]; content: Buffer }> {
  const cwd = temporaryFolder();
  const members = Array.from({ length: memberCount }, (_, index) => `m${index}`);
  const args = ["raid", "create", "data", "--level", level, "--make-images", "6M", ...options];
  await run([...args, ...members], { cwd });
  const content = randomBytes(1_500_000);
  writeFileSync(join(cwd, "content"), content);
  await run(["copy", ...members, "--device", "md/data", "--from", "content"], { cwd });
  return { cwd, members, content };
}

function blank(cwd: string, name: string, size = 6 << 20): void {
  writeFileSync(join(cwd, name), "");
  truncateSync(join(cwd, name), size);
}

/** What the array holds, in its first bytes. */
async function held(cwd: string, members: readonly string[], length: number): Promise<string> {
  await run(["copy", ...members, "--device", "md/data", "--to", "out"], { cwd });
  return sha256(readFileSync(join(cwd, "out")).subarray(0, length));
}

const answerOf = ({ stdout }: { readonly stdout: Buffer }): Answer => JSON.parse(stdout.toString()) as Answer;

describe("members that go and come", () => {
  test("a member that fails is left out, a new one is added and rebuilt, and no byte is another", async () => {
    const { cwd, members, content } = await makeArray("5", 3, ["--chunk", "64K"]);
    const failed = await run(["raid", "fail", ...members, "--device", "m1"], { cwd });
    expect(failed).toMatchObject({ status: 0, stderr: expect.stringMatching(/m1.*has failed/) as string });
    expect(failed.stdout.toString()).toBe(
      "m1 has been failed\nmd/data: clean, degraded, 2 of 3 devices active\n",
    );
    const removed = await run(["raid", "remove", ...members, "--device", "m1"], { cwd });
    expect(removed.stdout.toString()).toMatch(/^m1 is no part of the array: it is stale: /);
    blank(cwd, "new");
    const added = await run(["raid", "add", "m0", "m2", "--device", "new", "--progress"], { cwd });
    expect(added.stdout.toString()).toBe("new has been added\nmd/data: clean, 3 of 3 devices active\n");
    expect(added.status).toBe(0);
    expect(await held(cwd, ["m0", "new"], content.length)).toBe(sha256(content));
  });

  test("a former member is re-added by the bitmap", async () => {
    const { cwd, members, content } = await makeArray("5", 3, ["--bitmap", "internal"]);
    await run(["raid", "fail", ...members, "--device", "m2"], { cwd });
    content.fill(7, 0, 100_000);
    writeFileSync(join(cwd, "content"), content);
    await run(["copy", "m0", "m1", "--device", "md/data", "--from", "content", "--degraded"], { cwd });
    const { stdout } = await run(["raid", "add", ...members, "--device", "m2"], { cwd });
    expect(stdout.toString()).toBe(
      "m2 has been re-added: only what it missed is copied\nmd/data: clean, 3 of 3 devices active\n",
    );
    expect(await held(cwd, ["m1", "m2"], content.length)).toBe(sha256(content));
  });

  test("a spare is taken out again, and what is active is not", async () => {
    const { cwd, members } = await makeArray("5", 3);
    blank(cwd, "spare");
    const added = await run(["raid", "add", ...members, "--device", "spare", "--json"], { cwd });
    expect(answerOf(added).array.members.map(({ state }) => state)).toEqual([
      ...Array.from({ length: 3 }, () => "active sync"),
      "spare",
    ]);
    const all = [...members, "spare"];
    const refused = await run(["raid", "remove", ...all, "--device", "m0"], { cwd });
    expect(refused).toMatchObject({ status: 1, stderr: expect.stringMatching(/fail it first/) as string });
    const removed = await run(["raid", "remove", ...all, "--device", "spare"], { cwd });
    expect(removed.stdout.toString()).toBe("spare has been removed\nmd/data: clean, 3 of 3 devices active\n");
  });

  test("a partition of an image is a member like any other", async () => {
    const { cwd } = await makeArray("1", 2, ["--size", "1536K"]);
    const disk = golden("gpt").images[0]!;
    await run(["raid", "fail", "m0", "m1", "--device", "m1"], { cwd });
    const args = ["raid", "add", "m0", "--device", `${disk}/p1`];
    const refused = await run(args, { cwd });
    expect(refused.stderr).toMatch(/disk0\.img\/p1: it carries something already: an ext2, ext3 or ext4/);
    const added = await run([...args, "--force"], { cwd });
    expect(added.stdout.toString()).toBe(
      "disk0.img/p1 has been added\nmd/data: clean, 2 of 2 devices active\n",
    );
    const failed = await run(["raid", "fail", "m0", disk, "--device", "m0"], { cwd });
    expect(failed.status).toBe(0);
    const { stdout } = await run(["raid", "detail", disk, "--brief"]);
    expect(stdout.toString()).toMatch(/^ARRAY \/dev\/md\/data /);
    const absent = await run(["raid", "add", disk, "--device", `${disk}/p9`], { cwd });
    expect(absent.stderr).toMatch(/there is no device disk0\.img\/p9; there are disk0\.img, disk0\.img\/p1/);
  });

  test("what takes part already is not added", async () => {
    const { cwd, members } = await makeArray("1", 3);
    const paths = members.map((name) => join(cwd, name));
    const before = hashFiles(paths);
    const { stderr, status } = await run(["raid", "add", ...paths, "--device", paths[1]!]);
    expect(stderr).toBe(
      "cev: m1: it is part of the array already; cev raid detail shows what each member does\n",
    );
    expect(status).toBe(1);
    expect(hashFiles(paths)).toBe(before);
  });

  test("a member that fails while a copy writes is named", async () => {
    const { cwd, members } = await makeArray("5", 3);
    const submit =
      'if (io.op === 1 && io.offset >= 1500000) io.fail("CEV_IO", "the disk is dying", "bad"); else this.lowers[0].submit(io);';
    writeFileSync(join(cwd, "bad.mjs"), driverModule(submit));
    const disks = members.map((name) => `  ${name}: { driver: "@cev/hw-file", path: ${name} }`);
    const stack = [
      "devices:",
      ...disks,
      "  bad: { driver: ./bad.mjs, lower: m2 }",
      '  r5: { driver: "@cev/raid", members: [m0, m1, bad] }',
    ];
    writeFileSync(join(cwd, "stack.yaml"), stack.join("\n"));
    const { stderr, status } = await run(["copy", "stack.yaml", "--device", "r5", "--from", "content"], {
      cwd,
    });
    expect(stderr).toMatch(
      /^cev: warning: active device 2 \(bad\) has failed: the disk is dying; replace it$/m,
    );
    expect(status).toBe(0);
  });

  test("what carries something else is not added, and a name that is no member is called out", async () => {
    const { cwd, members } = await makeArray("5", 3);
    const other = golden("gpt").images[0]!;
    const before = hashFiles([other]);
    const added = await run(["raid", "add", ...members, "--device", other], { cwd });
    expect(added.stderr).toMatch(/it carries something already: .*; choose another device, or add --force/);
    expect(added.status).toBe(1);
    expect(hashFiles([other])).toBe(before);
    const failed = await run(["raid", "fail", ...members, "--device", "m7"], { cwd });
    expect(failed.stderr).toBe("cev: m7 is not a member of md/data; its members are m0, m1, m2\n");
  });

  test("the last member that holds the data is not failed", async () => {
    const { cwd } = await makeArray("5", 3);
    const { stderr, status } = await run(["raid", "fail", "m0", "m1", "--device", "m1"], { cwd });
    expect(stderr).toMatch(/the array cannot do without m1/);
    expect(status).toBe(1);
  });
});

describe("cev raid check and repair", () => {
  test("count what does not match, and make it match", async () => {
    const { cwd, members } = await makeArray("5", 3, ["--chunk", "4K"]);
    const clean = await run(["raid", "check", ...members], { cwd });
    expect(clean).toMatchObject({ status: 0, stderr: "" });
    expect(clean.stdout.toString()).toBe(
      "mismatch_cnt 0: everything matches\nmd/data: clean, 3 of 3 devices active\n",
    );
    const bytes = readFileSync(join(cwd, "m1"));
    // Two places, far apart, in the member's data.
    for (const at of [2_200_000, 3_000_000]) bytes[at]! ^= 0xff;
    writeFileSync(join(cwd, "m1"), bytes);
    const found = await run(["raid", "check", ...members, "--json"], { cwd });
    expect(found.status).toBe(1);
    const { mismatchCount } = answerOf(found).array;
    expect(mismatchCount).toBeGreaterThan(0);
    const repaired = await run(["raid", "repair", ...members, "--json"], { cwd });
    expect(repaired.status).toBe(0);
    expect(answerOf(repaired).array.mismatchCount).toBe(mismatchCount);
    expect(await run(["raid", "check", ...members], { cwd })).toMatchObject({ status: 0 });
  });
});

test("a check waits for a rebuild that was under way", async () => {
  const { images } = golden("raid-recovering");
  const { stdout, status } = await run(["raid", "check", ...images]);
  expect(stdout.toString()).toBe(
    "mismatch_cnt 0: everything matches\nmd/oracle:recovering: clean, 4 of 4 devices active\n",
  );
  expect(status).toBe(0);
});

describe("cev raid stop and assemble", () => {
  test("make an array clean that was left dirty", async () => {
    const set = golden("raid5-dirty");
    const { stdout, stderr, status } = await run(["raid", "stop", ...set.images]);
    expect(stderr).toMatch(/was not shut down cleanly/);
    expect(stdout.toString()).toMatch(/: clean, \d of \d devices active\n$/);
    expect(status).toBe(0);
    const after = await run(["raid", "detail", ...set.images, "--json"]);
    expect(answerOf(after).array.state).toBe("clean");
    await run(["copy", ...set.images.slice(1), "--device", "md/oracle:dirty", "--to", `${set.folder}/out`]);
    expect(hashFiles([`${set.folder}/out`])).toBe(layerHash(set, "md"));
  });

  test("a member that should be there is asked for before anything is written", async () => {
    const { cwd, members } = await makeArray("5", 3);
    const two = members.slice(1).map((name) => join(cwd, name));
    const before = hashFiles(two);
    const refused = await run(["raid", "assemble", ...two]);
    expect(refused.stderr).toMatch(/active device 0 took part .* is not here; .* or add --run/);
    expect(refused.status).toBe(1);
    expect(hashFiles(two)).toBe(before);
    const { stdout, status } = await run(["raid", "assemble", ...two, "--run"]);
    expect(stdout.toString()).toBe("md/data: clean, degraded, 2 of 3 devices active\n");
    expect(status).toBe(0);
  });

  test("a rebuild that is interrupted goes on where it was", async () => {
    const { cwd, members } = await makeArray("5", 3);
    await run(["raid", "fail", ...members, "--device", "m0"], { cwd });
    blank(cwd, "new");
    const adding = new Command(
      ["raid", "add", "m1", "m2", "--device", "new", "--speed-limit", "1M", "--progress"],
      { cwd },
    );
    await adding.untilError(/rebuild \[#+\.+\]/);
    adding.child.kill("SIGINT");
    const { status, stderr } = await adding.ended;
    expect(stderr).toMatch(/ended by SIGINT; how far .* is kept; go on with cev raid assemble m1 m2 new\n$/);
    expect(status).toBe(1);
    const { stdout } = await run(["raid", "examine", "new", "--json"], { cwd });
    const [member] = (JSON.parse(stdout.toString()) as { members: { recoveryOffset: number }[] }).members;
    expect(member!.recoveryOffset).toBeGreaterThan(0);
    expect(stderr).not.toMatch(/0 bytes\/s|NF/);
    // All are here: one of them is being rebuilt, and goes on without being asked to.
    const rebuilt = await run(["raid", "assemble", "m1", "m2", "new"], { cwd });
    expect(rebuilt.stdout.toString()).toBe("md/data: clean, 3 of 3 devices active\n");
    expect(await run(["raid", "check", "m1", "m2", "new"], { cwd })).toMatchObject({ status: 0 });
  });
});

test("a rebuild without a spare says what is missing, and fails", async () => {
  const { cwd, members } = await makeArray("5", 3);
  await run(["raid", "fail", ...members, "--device", "m0"], { cwd });
  const { stderr, status } = await run(["raid", "rebuild", "m1", "m2"], { cwd });
  expect(stderr).toMatch(/^cev: there is nothing to rebuild onto: add a device with cev raid add/m);
  expect(status).toBe(1);
});

describe("what a level does not have", () => {
  test("is refused by name", async () => {
    const { cwd, members } = await makeArray("0", 2);
    const checked = await run(["raid", "check", ...members], { cwd });
    expect(checked.stderr).toBe("cev: raid0 has no redundancy: there is nothing to compare\n");
    blank(cwd, "spare");
    const added = await run(["raid", "add", ...members, "--device", "spare"], { cwd });
    expect(added.stderr).toMatch(/raid0 takes no spares/);
    expect([checked.status, added.status]).toEqual([1, 1]);
  });
});

describe("cev raid grow", () => {
  test("--raid-devices makes room in a mirror, which a spare fills", async () => {
    const { cwd, members, content } = await makeArray("1", 2);
    blank(cwd, "third");
    await run(["raid", "add", ...members, "--device", "third"], { cwd });
    const args = ["raid", "grow", ...members, "third", "--raid-devices", "3"];
    const { stdout, status } = await run(args, { cwd });
    expect(stdout.toString()).toBe(
      "the array has 3 places for members now\nmd/data: clean, 3 of 3 devices active\n",
    );
    expect(status).toBe(0);
    expect(await held(cwd, ["third"], content.length)).toBe(sha256(content));
  });

  test("--size max uses members that have become larger", async () => {
    const { cwd, members, content } = await makeArray("5", 3, ["--size", "2M"]);
    const { stdout, status } = await run(["raid", "grow", ...members, "--size", "max", "--json"], { cwd });
    expect(status).toBe(0);
    expect(answerOf({ stdout }).array.size).toBe(8 << 20);
    expect(await held(cwd, members, content.length)).toBe(sha256(content));
    expect(await run(["raid", "check", ...members], { cwd })).toMatchObject({ status: 0 });
    const again = await run(["raid", "grow", ...members, "--size", "max"], { cwd });
    expect(again.stdout.toString()).toMatch(/^the size has not changed: /);
  });

  test("more places than there are devices for want a word", async () => {
    const { cwd, members } = await makeArray("1", 2);
    const args = ["raid", "grow", ...members, "--raid-devices", "9"];
    const { stderr, status } = await run(args, { cwd });
    expect(stderr).toMatch(/^cev: 7 of 9 places would be empty; add spares first with cev raid add, or/);
    expect(status).toBe(1);
    const forced = await run([...args, "--force"], { cwd });
    expect(forced.stdout.toString()).toMatch(/\nmd\/data: clean, degraded, 2 of 9 devices active\n$/);
  });

  test("wants to know what is to grow", async () => {
    const { stderr, status } = await run(["raid", "grow", "m0"]);
    expect(stderr).toMatch(/^cev: say what is to grow: --size SIZE, .*; see cev raid grow --help\n$/);
    expect(status).toBe(2);
  });
});
