import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { isCevError } from "@cev/core";
import { RAID_STATES } from "../golden/sets.ts";
import { sha256 } from "../matrix/hash.ts";
import { openArray, raidLayerOf } from "../raid-matrix/open-array.ts";
import { runInKernel } from "../raid-matrix/oracle-batch.ts";
import { workRandomly } from "../raid-matrix/random-work.ts";
import { SharedDisk } from "../matrix/shared-disk.ts";
import { GoldenCopy } from "../src/golden-copy.ts";
import { Random } from "../src/random.ts";
import { ORACLE_TOOLS, describeWith } from "../src/tools.ts";

/** Those that cev opens read-only, whatever is asked for. */
const READ_ONLY = [
  "raid-reshape",
  "raid-reshape-offset",
  "raid-reshape-backwards",
  "raid-journal",
  "raid-ppl",
];
const SECTOR = 512;

interface State {
  readonly name: string;
  readonly images: readonly Uint8Array[];
  /** What the array held when it got into this state. */
  readonly size: number;
  readonly sha256: string;
}

const folder = mkdtempSync(join(tmpdir(), "raid-states-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const states = new Map<string, State>(
  RAID_STATES.map(({ name }) => {
    using golden = new GoldenCopy(name);
    const images = golden.images.map((path) => new Uint8Array(readFileSync(path)));
    return [name, { ...golden.layer("md"), name, images }];
  }),
);

/** The hash of what the array held, as it is read now, or the code of the refusal. Nothing may be written. */
async function readWithout({ images, size }: State, missing: readonly number[]): Promise<string> {
  const copies = images.map((bytes) => bytes.slice());
  try {
    const { device } = await openArray(copies, missing, new Random(missing.length), { isReadOnly: true });
    try {
      return sha256(await device.read(0, size));
    } finally {
      await device.close();
    }
  } catch (error) {
    if (!isCevError(error)) throw error;
    return error.code;
  } finally {
    expect(Buffer.compare(Buffer.concat(copies), Buffer.concat(images)), "the images are as they were").toBe(
      0,
    );
  }
}

describe("cev reads arrays in states that do not last", () => {
  test.each(RAID_STATES)("$name: $description", async ({ name }) => {
    const state = states.get(name)!;
    expect(await readWithout(state, [])).toBe(state.sha256);
  });

  // Of a mirror that is being resynced, the second member alone holds what it holds.
  const others = RAID_STATES.filter(({ name }) => name !== "raid-resyncing");
  test.each(others)("$name with a member less gives the same bytes, or none", async ({ name }) => {
    const state = states.get(name)!;
    for (let missing = 0; missing < state.images.length; missing++)
      expect([state.sha256, "CEV_DEGRADED", "CEV_UNKNOWN_FEATURE"], `without disk${missing}`).toContain(
        await readWithout(state, [missing]),
      );
  });

  test.each(["raid-spare", "raid-090", "raid-replacement"])(
    "%s does without any one of its members",
    async (name) => {
      const state = states.get(name)!;
      for (let missing = 0; missing < 3; missing++)
        expect(await readWithout(state, [missing]), `without disk${missing}`).toBe(state.sha256);
    },
  );

  test("raid-badblocks without disk1 gives all but what the logs of the others name", async () => {
    const { images, size, ...state } = states.get("raid-badblocks")!;
    const whole = await openArray(images, [], new Random(1), { isReadOnly: true });
    const expected = await whole.device.read(0, size);
    await whole.device.close();
    expect(sha256(expected)).toBe(state.sha256);

    const { device } = await openArray(images, [1], new Random(1), { isReadOnly: true });
    let lostCount = 0;
    for (let at = 0; at < size; at += SECTOR) {
      const found = await device.read(at, SECTOR).catch((error: unknown) => {
        if (!isCevError(error)) throw error;
        return null;
      });
      if (found === null) lostCount++;
      else expect(Buffer.compare(found, expected.subarray(at, at + SECTOR)), `the sector at ${at}`).toBe(0);
    }
    await device.close();
    // In stripe 0 both data columns of 24 sectors, in 1 one column of 8, in 7 one of 1; at most whole 4 KiB go.
    expect(lostCount).toBeGreaterThanOrEqual(57);
    expect(lostCount).toBeLessThanOrEqual(64);
  });

  test.each(READ_ONLY)("%s is not opened for writing", async (name) => {
    const { images } = states.get(name)!;
    const copies = images.map((bytes) => bytes.slice());
    const { device, problems } = await openArray(copies, [], new Random(1), { isReadOnly: false });
    expect(device.isReadOnly).toBe(true);
    expect(problems.length).toBeGreaterThan(0);
    await device.close();
    expect(Buffer.compare(Buffer.concat(copies), Buffer.concat(images)), "the images are as they were").toBe(
      0,
    );
  });
});

describeWith(ORACLE_TOOLS, "cev goes on with arrays in such states", () => {
  test("and the kernel takes them back", async () => {
    using disk = new SharedDisk(join(folder, "disk.img"));
    const worked = [];
    for (const { name, images, ...state } of states.values()) {
      if (READ_ONLY.includes(name)) continue;
      const copies = images.map((bytes) => bytes.slice());
      const random = new Random(7);
      const opened = await openArray(copies, [], random, { isReadOnly: false });
      const { device } = opened;
      const content = await device.read(0, device.size);
      expect(sha256(content), name).toBe(state.sha256);
      await workRandomly(device, content, random, 20);
      await raidLayerOf(opened).idle();
      await workRandomly(device, content, random, 20);
      await device.close();
      worked.push({ name, copies, content, members: copies.map((bytes) => disk.add(bytes.length)) });
    }
    disk.finish();
    for (const { copies, members } of worked)
      copies.forEach((bytes, index) => disk.write(members[index]!, bytes));
    const jobs = worked.map(({ members }) => ({ call: "judge" as const, args: ["0", "--add", ""], members }));
    const answers = await runInKernel(folder, disk, jobs);
    for (const [number, { name, content }] of worked.entries()) {
      const { isOk, findings, log } = answers[number]!;
      expect({ name, isOk, ...Object.fromEntries(findings) }, log).toMatchObject({
        isOk: true,
        before: sha256(content),
        mismatches: "0",
      });
    }
    expect(worked.map(({ name }) => name)).toHaveLength(RAID_STATES.length - READ_ONLY.length);
  });
});
