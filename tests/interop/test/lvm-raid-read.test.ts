import { afterAll, beforeAll, expect, test } from "vitest";
import { ORACLE_TOOLS, describeWith } from "../src/tools.ts";
import { RaidGroup, VOLUME_KINDS, openVolume, sha256 } from "../src/lvm-raid.ts";
import type { RaidVolume } from "../src/lvm-raid.ts";

const SAMPLE = ["raid1", "raid4", "raid5_ls", "raid6_zr", "raid6_ls_6", "raid10"];
const KINDS = VOLUME_KINDS.filter(
  ({ type }) => process.env["CEV_ALL_CASES"] !== undefined || SAMPLE.includes(type),
);

describeWith(ORACLE_TOOLS, "LVM's RAID volumes as the kernel made them", () => {
  let group: RaidGroup;

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

  test.each(KINDS)("$type is read to the last byte, whole and with each member missing", async ({ type }) => {
    const volume = group.volume(type);
    expect(await contents(volume, [])).toBe(volume.sha256);
    for (let index = 0; index < volume.members.length; index++)
      expect(await contents(volume, [index]), `without member ${index}`).toBe(volume.sha256);
    if (type.startsWith("raid6") || type === "raid1")
      expect(await contents(volume, [0, 2]), "without two").toBe(volume.sha256);
  });
});
