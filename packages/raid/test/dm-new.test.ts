import { describe, expect, it } from "vitest";
import { FeatureFlag } from "../src/index.ts";
import type { DmRaidOption } from "../src/dm-raid/dm-raid-option.ts";
import { DM_META_SIZE, dmDisks, dmImages, dmOption, dmSuperblock, openDm } from "./support/dm-images.ts";
import type { MemoryLayer } from "./support/memory-layer.ts";

const RAID5 = dmOption("raid5_ls", 3);

describe("a new volume", () => {
  const blank = (option: DmRaidOption): MemoryLayer[] =>
    dmDisks(dmImages(option).map(({ length }) => new Uint8Array(length).fill(0x31, DM_META_SIZE)));

  it("is dirty, is synced, and gets superblocks and bitmaps", async () => {
    const option = dmOption("raid6_zr", 5);
    const members = blank(option);
    const { device, layer, opened } = await openDm(option, members);
    expect(opened.state).toBe("dirty");
    await layer.idle();
    expect(await layer.check()).toBe(0);
    await device.close();
    for (const [position, { bytes }] of members.entries())
      expect(dmSuperblock(option, bytes, position)).toMatchObject({
        resyncSectors: null,
        features: FeatureFlag.bitmap,
      });
    const again = await openDm(option, members, { isReadOnly: true });
    expect(again.opened.state).toBe("clean");
    await again.device.close();
  });

  it.each([0, 1])(
    "has the image %i that LVM has just added copied from the other one, also where the rest is not synced",
    async (added) => {
      const option: DmRaidOption = { ...dmOption("raid1", 2), nosync: true, rebuild: [added] };
      const members = dmDisks(
        dmImages(option).map(({ length }, position) =>
          new Uint8Array(length).fill(position === added ? 0x32 : 0x31, DM_META_SIZE),
        ),
      );
      const { device, layer } = await openDm(option, members);
      expect((await device.read(0, 4096)).every((byte) => byte === 0x31)).toBe(true);
      await layer.idle();
      await device.close();
      for (const { bytes } of members)
        expect(bytes.subarray(DM_META_SIZE).every((byte) => byte === 0x31)).toBe(true);
    },
  );

  it("is left alone where it is only looked at", async () => {
    const members = blank(RAID5);
    const { device, opened } = await openDm(RAID5, members, { isReadOnly: true });
    expect(opened.state).toBe("dirty");
    await device.close();
    expect(members.every(({ writeCount }) => writeCount === 0)).toBe(true);
  });

  it("is not synced where LVM says so, but RAID6 is all the same", async () => {
    const { device, layer, opened } = await openDm({ ...RAID5, nosync: true }, blank(RAID5));
    expect(opened.state).toBe("clean");
    expect(layer.action).toBe("idle");
    await device.close();
    const six = dmOption("raid6_zr", 5);
    const other = await openDm({ ...six, nosync: true }, blank(six), { isReadOnly: true });
    expect(other.opened.state).toBe("dirty");
    await other.device.close();
  });

  it("needs room for its bitmap", async () => {
    const option = { ...dmOption("raid1", 2, 4096), regionSize: 512, metadataSize: 4096 + 1024 };
    const members = dmDisks([0, 1].map(() => new Uint8Array(option.metadataSize + option.memberSize)));
    await expect(openDm(option, members)).rejects.toMatchObject({ code: "CEV_INVALID" });
  });
});
