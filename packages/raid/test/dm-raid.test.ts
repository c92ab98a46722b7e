import type { Layer } from "@cev/core";
import { describe, expect, it } from "vitest";
import { Role } from "../src/index.ts";
import {
  DM_BITMAP_BITS,
  DM_META_SIZE,
  dmDisks,
  dmImages,
  dmOption,
  dmPattern,
  dmSuperblock,
  filledDm,
  openDm,
} from "./support/dm-images.ts";
import { MemoryLayer } from "./support/memory-layer.ts";

const RAID5 = dmOption("raid5_ls", 3);

describe("a volume of LVM", () => {
  it.each(["raid1", "raid4", "raid5_ls", "raid6_nc", "raid10"])(
    "of type %s is clean when it is closed, and read again",
    async (type) => {
      const option = dmOption(type, type === "raid6_nc" ? 5 : 4);
      const images = await filledDm(option);
      for (const [position, image] of images.entries()) {
        const superblock = dmSuperblock(option, image, position);
        expect(superblock.resyncSectors).toBeNull();
        expect(superblock.roles).toEqual(option.members);
        expect(image.subarray(DM_BITMAP_BITS, DM_BITMAP_BITS + 8)).toEqual(new Uint8Array(8));
      }
      const { device, opened } = await openDm(option, dmDisks(images), { isReadOnly: true });
      expect(opened.state).toBe("clean");
      expect(await device.read(0, option.size)).toEqual(dmPattern(option.size));
      await device.close();
    },
  );

  it("is marked on all members, durably, before the first byte is written", async () => {
    const members = dmDisks(dmImages(RAID5));
    const marked: boolean[] = [];
    for (const member of members)
      member.onWrite = () => {
        const { offset } = member.log.at(-1)!;
        if (offset < DM_META_SIZE) return;
        marked.push(
          members.every(
            ({ durable }, position) =>
              (durable[DM_BITMAP_BITS]! & 1) === 1 &&
              dmSuperblock(RAID5, durable, position).resyncSectors === 0,
          ),
        );
      };
    const { device } = await openDm(RAID5, members);
    await device.write(0, dmPattern(4096));
    expect(marked.length).toBeGreaterThan(1);
    expect(marked).not.toContain(false);
    await device.close();
  });

  it("records a member that fails before the write is acknowledged", async () => {
    const members = dmDisks(dmImages(RAID5));
    const { device, layer } = await openDm(RAID5, members);
    members[1]!.fault = ({ offset }) => (offset >= DM_META_SIZE ? "CEV_IO" : null);
    await device.write(0, dmPattern(16_384));
    for (const position of [0, 2])
      expect(dmSuperblock(RAID5, members[position]!.durable, position).roles).toEqual([0, Role.faulty, 2]);
    expect(layer.array.lostCount).toBe(1);
    await device.close();
    // What it missed stays marked.
    expect(members[0]!.bytes[DM_BITMAP_BITS]! & 1).toBe(1);
  });

  it("describes itself with what opens it again", async () => {
    const images = await filledDm(RAID5);
    const { layer, device } = await openDm(RAID5, [null, ...dmDisks(images.slice(1))], { isReadOnly: true });
    expect(layer.describe().options).toEqual({ dmRaid: { ...RAID5, members: [null, 0, 1] } });
    expect(layer.describe().lowers).toHaveLength(2);
    await device.close();
  });

  it("has its shape from LVM: nothing is added to it, nor does it grow", async () => {
    const option = dmOption("raid1", 2);
    const { layer, device } = await openDm(option, dmDisks(dmImages(option)));
    const spare = new MemoryLayer("spare", new Uint8Array(option.metadataSize + option.memberSize));
    await expect(layer.addMember(spare)).rejects.toMatchObject({ code: "CEV_INVALID" });
    await expect(layer.growMembers(3)).rejects.toMatchObject({ code: "CEV_INVALID" });
    await expect(layer.growSize("max")).rejects.toMatchObject({ code: "CEV_INVALID" });
    await device.close();
  });
});

describe("members of a volume of LVM", () => {
  it("that are missing make it read-only, until writing is allowed", async () => {
    const images = await filledDm(RAID5);
    const missing = (): (Layer | null)[] => [null, ...dmDisks(images.slice(1))];
    const { device, layer, problems, opened } = await openDm(RAID5, missing());
    expect(layer.support.write).toBe("none");
    expect(opened.state).toBe("clean, degraded");
    expect(problems.map(({ code }) => code)).toEqual(["CEV_DEGRADED"]);
    expect(await device.read(0, RAID5.size)).toEqual(dmPattern(RAID5.size));
    await device.close();
    const allowed = await openDm(RAID5, missing(), { degraded: true });
    expect(allowed.layer.support.write).not.toBe("none");
    await allowed.device.close();
  });

  it("that missed writes are rebuilt by the bitmap when it is opened for writing", async () => {
    const images = await filledDm(RAID5);
    const [first, second, third] = dmDisks(images);
    const without = await openDm(RAID5, [first!, null, third!], { degraded: true });
    await without.device.write(4096, dmPattern(4096, 7));
    await without.device.close();
    const members = [first!, second!, third!];
    const looked = await openDm(RAID5, members, { isReadOnly: true });
    expect(looked.opened.state).toBe("clean, degraded");
    await looked.device.close();
    const { device, layer } = await openDm(RAID5, members);
    expect(layer.array.members[1]).toMatchObject({ isRebuilding: true, isByBitmap: true });
    await layer.idle();
    expect(await layer.check()).toBe(0);
    await device.close();
    expect(dmSuperblock(RAID5, second!.bytes, 1)).toMatchObject({ roles: [0, 1, 2], resyncSectors: null });
    const again = await openDm(RAID5, [null, second!, third!], { isReadOnly: true });
    expect(await again.device.read(4096, 4096)).toEqual(dmPattern(4096, 7));
    await again.device.close();
  });

  it("that LVM has put there are rebuilt from nothing, unless they have been since; others without a superblock are left out", async () => {
    const images = await filledDm(RAID5);
    images[2]!.fill(0);
    const left = await openDm(RAID5, dmDisks(images));
    expect(left.layer.support.write).toBe("none");
    expect(left.problems[0]!.message).toContain("has no dm-raid superblock");
    await left.device.close();
    images[2]!.fill(0x77);
    const members = dmDisks(images);
    const { device, layer } = await openDm({ ...RAID5, rebuild: [2] }, members);
    await layer.idle();
    await device.close();
    // LVM may leave the mark: it is not done again.
    const marked = await openDm({ ...RAID5, rebuild: [2] }, [null, members[1]!, members[2]!], {
      isReadOnly: true,
    });
    expect(await marked.device.read(0, RAID5.size)).toEqual(dmPattern(RAID5.size));
    await marked.device.close();
  });

  it("that were run apart are refused where they are of one age, and else the older ones are left alone", async () => {
    const option = dmOption("raid1", 2);
    const images = await filledDm(option);
    const [one, other] = dmDisks(images);
    const first = await openDm(option, [one!, null], { degraded: true });
    await first.device.write(0, dmPattern(4096, 1));
    await first.device.close();
    const second = await openDm(option, [null, other!], { degraded: true });
    await second.device.write(0, dmPattern(4096, 2));
    await second.device.close();
    await expect(openDm(option, [one!, other!])).rejects.toMatchObject({ code: "CEV_AMBIGUOUS" });
    for (const salt of [3, 4, 5]) {
      const later = await openDm(option, [null, other!], { degraded: true });
      await later.device.write(0, dmPattern(4096, salt));
      await later.device.close();
    }
    const before = Uint8Array.from(one!.bytes);
    const { device, problems } = await openDm(option, [one!, other!], { degraded: true });
    expect(await device.read(0, 4096)).toEqual(dmPattern(4096, 5));
    await device.write(8192, dmPattern(4096, 6));
    await device.close();
    expect(one!.bytes).toEqual(before);
    expect(problems.some(({ message }) => message.includes("run apart"))).toBe(true);
  });

  it("in other positions are refused", async () => {
    const [first, second, third] = dmDisks(await filledDm(RAID5));
    await expect(openDm(RAID5, [second!, first!, third!])).rejects.toMatchObject({
      code: "CEV_DEGRADED",
      place: { structure: "dm-raid superblock", field: "array_position", byteOffset: 12 },
    });
  });

  it("without any superblock are none of a new volume where one is missing", async () => {
    const blank = dmImages(RAID5).map(({ length }) => new Uint8Array(length));
    const [first, second] = dmDisks(blank);
    await expect(openDm(RAID5, [first!, second!, null])).rejects.toMatchObject({ code: "CEV_NOT_FOUND" });
  });
});

describe("what the bitmap of a volume marks", () => {
  const marked = (changes?: Parameters<typeof dmImages>[1]): Uint8Array[] => dmImages(RAID5, changes, [0b10]);

  it("is unsynced although the superblocks say nothing of it, and is resynced", async () => {
    const images = marked();
    // Member data of the region that is marked.
    images[0]!.fill(0x99, DM_META_SIZE + 16_384, DM_META_SIZE + 20_480);
    const members = dmDisks(images);
    const looked = await openDm(RAID5, members, { isReadOnly: true });
    expect(looked.opened.state).toBe("dirty");
    await looked.device.close();
    const { device, layer } = await openDm(RAID5, members);
    await layer.idle();
    expect(await layer.check()).toBe(0);
    await device.close();
    expect(members[0]!.bytes[DM_BITMAP_BITS]).toBe(0);
  });

  it("is not reconstructed for a member that is missing, unless that is forced", async () => {
    const { device, layer, opened } = await openDm(RAID5, [null, ...dmDisks(marked().slice(1))], {
      degraded: true,
    });
    expect(opened.state).toBe("dirty, degraded");
    expect(layer.support.write).toBe("none");
    const region = { start: 2 * 16_384, end: 4 * 16_384 };
    await expect(device.read(region.start, region.end - region.start)).rejects.toMatchObject({
      code: "CEV_DEGRADED",
    });
    expect(await device.read(0, region.start)).toEqual(new Uint8Array(region.start));
    await device.close();
    const forced = await openDm(RAID5, [null, ...dmDisks(marked().slice(1))], {
      degraded: true,
      force: true,
    });
    expect(await forced.device.read(region.start, 4096)).toEqual(new Uint8Array(4096));
    expect(forced.layer.support.write).not.toBe("none");
    await forced.device.close();
  });

  it("is what a member missed where one had failed before, and that is said", async () => {
    const failed = { roles: [Role.faulty, 1, 2] };
    const { device, layer, problems, opened } = await openDm(
      RAID5,
      [null, ...dmDisks(marked(() => failed).slice(1))],
      { degraded: true },
    );
    expect(opened.state).toBe("clean, degraded");
    expect(problems.map(({ message }) => message).join("\n")).toContain("does not record");
    expect(layer.support.write).not.toBe("none");
    expect(await device.read(0, RAID5.size)).toEqual(new Uint8Array(RAID5.size));
    await device.close();
  });

  it("is doubted again where this package was writing when a member was missing", async () => {
    const option = RAID5;
    const members = dmDisks(await filledDm(option));
    const { device } = await openDm(option, [null, members[1]!, members[2]!], { degraded: true });
    await device.write(0, dmPattern(4096, 1));
    const left = members.map(({ bytes }) => Uint8Array.from(bytes));
    await device.close();
    const after = await openDm(option, [null, ...dmDisks(left.slice(1))], { degraded: true });
    expect(after.opened.state).toBe("dirty, degraded");
    expect(after.layer.support.write).toBe("none");
    await after.device.close();
  });

  it("is resynced also below the place that a resync had come to", async () => {
    const images = marked(() => ({ resyncSectors: 96 }));
    images[0]!.fill(0x99, DM_META_SIZE + 16_384, DM_META_SIZE + 20_480);
    const members = dmDisks(images);
    const { device, layer } = await openDm(RAID5, members);
    await layer.idle();
    expect(await layer.check()).toBe(0);
    await device.close();
  });
});
