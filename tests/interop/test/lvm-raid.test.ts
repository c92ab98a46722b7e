import { afterAll, beforeAll, expect, test } from "vitest";
import { ORACLE_TOOLS, describeWith } from "../src/tools.ts";
import { JUDGE, RaidGroup, VOLUME_KINDS, openVolume, sha256 } from "../src/lvm-raid.ts";
import type { RaidVolume } from "../src/lvm-raid.ts";
import { Random, chooseSeed } from "../src/random.ts";
import { workRandomly } from "../raid-matrix/random-work.ts";

const SAMPLE = ["raid1", "raid4", "raid5_ls", "raid6_zr", "raid10"];
const KINDS = VOLUME_KINDS.filter(
  ({ type }) => process.env["CEV_ALL_CASES"] !== undefined || SAMPLE.includes(type),
);
const WRITES = 200;

describeWith(ORACLE_TOOLS, "LVM's RAID volumes", () => {
  let group: RaidGroup;
  // What each volume must hold in the end.
  const wanted = new Map<string, string>();
  const seed = chooseSeed();

  beforeAll(async () => {
    group = await RaidGroup.make(KINDS);
  }, 120_000);
  afterAll(() => group[Symbol.dispose]());

  async function contents(volume: RaidVolume, missing: readonly number[]): Promise<string> {
    const images = group.members(volume).map((bytes, index) => (missing.includes(index) ? null : bytes));
    const before = images.map((bytes) => (bytes === null ? "" : sha256(bytes)));
    const { device, opened } = await openVolume(volume, images, { isReadOnly: true });
    expect(device.size, "its size").toBe(volume.size);
    expect(opened.state).toBe(missing.length === 0 ? "clean" : "clean, degraded");
    const found = sha256(await device.read(0, device.size));
    await device.close();
    expect(
      images.map((bytes) => (bytes === null ? "" : sha256(bytes))),
      "nothing is written",
    ).toEqual(before);
    return found;
  }

  test.each(KINDS)("$type is read to the last byte, whole and with each member missing", async ({ name }) => {
    const volume = group.volume(name);
    expect(await contents(volume, [])).toBe(volume.sha256);
    for (let index = 0; index < volume.members.length; index++)
      expect(await contents(volume, [index]), `without member ${index}`).toBe(volume.sha256);
    if (name.startsWith("raid6") || name === "raid1")
      expect(await contents(volume, [0, 2]), "without two").toBe(volume.sha256);
  });

  test.each(KINDS)(
    `$type is written at random, whole and without a member, CEV_SEED=${seed}`,
    async ({ name, memberCount }) => {
      const volume = group.volume(name);
      const random = new Random(seed ^ name.length);
      const images = group.members(volume);
      const whole = await openVolume(volume, images, { random });
      const model = await whole.device.read(0, volume.size);
      expect(sha256(model)).toBe(volume.sha256);
      await workRandomly(whole.device, model, random, WRITES);
      await whole.device.close();
      const absent = random.below(memberCount);
      const present = images.map((bytes, index) => (index === absent ? null : bytes));
      const degraded = await openVolume(volume, present, { random, degraded: true });
      expect(degraded.opened.state).toBe("clean, degraded");
      await workRandomly(degraded.device, model, random, WRITES);
      await degraded.device.close();
      group.put(volume, images);
      wanted.set(name, sha256(model));
    },
  );

  test("the kernel takes back what missed something, finds no mismatch and every byte equal", async () => {
    const found = (await group.run(JUDGE)).trim().split("\n");
    expect(found.sort()).toEqual(
      KINDS.map(({ name, memberCount }) => `${name} 0 ${"A".repeat(memberCount)} ${wanted.get(name)}`).sort(),
    );
  }, 120_000);

  test.each(KINDS)("$type is read again as the kernel left it", async ({ name }) => {
    expect(await contents(group.volume(name), [])).toBe(wanted.get(name));
  });
});
