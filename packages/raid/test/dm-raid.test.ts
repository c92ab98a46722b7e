import { environmentFrom, isCevError } from "@cev/core";
import type { Layer } from "@cev/core";
import { describe, expect, it } from "vitest";
import { FeatureFlag, Role } from "../src/index.ts";
import { RAID_OPTIONS } from "../src/options.ts";
import type { DmRaidOption } from "../src/dm-raid/dm-raid-option.ts";
import { decodeDmSuperblock } from "../src/dm-raid/dm-superblock.ts";
import { DM_META_SIZE, dmImages, dmOption, dmShape, openDm } from "./support/dm-images.ts";
import { MemoryLayer } from "./support/memory-layer.ts";

const RAID5 = dmOption("raid5_ls", 3);
const BITMAP_BITS = 4096 + 256;

function disks(images: readonly Uint8Array[]): MemoryLayer[] {
  return images.map((bytes, index) => new MemoryLayer(`member${index}`, Uint8Array.from(bytes)));
}

function pattern(size: number, salt = 0): Uint8Array {
  return Uint8Array.from({ length: size }, (_, index) => (index * 31 + (index >> 9) + salt) & 0xff);
}

/** Members of a volume that holds the pattern, written by the layer itself and closed. */
async function filled(option: DmRaidOption): Promise<Uint8Array[]> {
  const members = disks(dmImages(option));
  const { device } = await openDm(option, members);
  await device.write(0, pattern(option.size));
  await device.close();
  return members.map(({ bytes }) => bytes);
}

const superblockOf = (option: DmRaidOption, image: Uint8Array, position: number) =>
  decodeDmSuperblock(image.subarray(0, 512), "member", dmShape(option, position));

describe("a volume of LVM", () => {
  it.each(["raid1", "raid4", "raid5_ls", "raid6_nc", "raid10"])(
    "of type %s is clean when it is closed, and read again",
    async (type) => {
      const option = dmOption(type, type === "raid6_nc" ? 5 : 4);
      const images = await filled(option);
      for (const [position, image] of images.entries()) {
        const superblock = superblockOf(option, image, position);
        expect(superblock.resyncSectors).toBeNull();
        expect(superblock.roles).toEqual(option.members);
        expect(image.subarray(BITMAP_BITS, BITMAP_BITS + 8)).toEqual(new Uint8Array(8));
      }
      const { device, opened } = await openDm(option, disks(images), { isReadOnly: true });
      expect(opened.state).toBe("clean");
      expect(await device.read(0, option.size)).toEqual(pattern(option.size));
      await device.close();
    },
  );

  it("is marked on all members, durably, before the first byte is written", async () => {
    const members = disks(dmImages(RAID5));
    const marked: boolean[] = [];
    for (const member of members)
      member.onWrite = () => {
        const { offset } = member.log.at(-1)!;
        if (offset < DM_META_SIZE) return;
        marked.push(
          members.every(
            ({ durable }, position) =>
              (durable[BITMAP_BITS]! & 1) === 1 && superblockOf(RAID5, durable, position).resyncSectors === 0,
          ),
        );
      };
    const { device } = await openDm(RAID5, members);
    await device.write(0, pattern(4096));
    expect(marked.length).toBeGreaterThan(1);
    expect(marked).not.toContain(false);
    await device.close();
  });

  it("records a member that fails before the write is acknowledged", async () => {
    const members = disks(dmImages(RAID5));
    const { device, layer } = await openDm(RAID5, members);
    members[1]!.fault = ({ offset }) => (offset >= DM_META_SIZE ? "CEV_IO" : null);
    await device.write(0, pattern(16_384));
    for (const position of [0, 2])
      expect(superblockOf(RAID5, members[position]!.durable, position).roles).toEqual([0, Role.faulty, 2]);
    expect(layer.array.lostCount).toBe(1);
    await device.close();
    // What it missed stays marked.
    expect(members[0]!.bytes[BITMAP_BITS]! & 1).toBe(1);
  });

  it("describes itself with what opens it again", async () => {
    const images = await filled(RAID5);
    const { layer, device } = await openDm(RAID5, [null, ...disks(images.slice(1))], { isReadOnly: true });
    expect(layer.describe().options).toEqual({ dmRaid: { ...RAID5, members: [null, 0, 1] } });
    expect(layer.describe().lowers).toHaveLength(2);
    await device.close();
  });

  it("has its shape from LVM: nothing is added to it, nor does it grow", async () => {
    const option = dmOption("raid1", 2);
    const { layer, device } = await openDm(option, disks(dmImages(option)));
    const spare = new MemoryLayer("spare", new Uint8Array(option.metadataSize + option.memberSize));
    await expect(layer.addMember(spare)).rejects.toMatchObject({ code: "CEV_INVALID" });
    await expect(layer.growMembers(3)).rejects.toMatchObject({ code: "CEV_INVALID" });
    await expect(layer.growSize("max")).rejects.toMatchObject({ code: "CEV_INVALID" });
    await device.close();
  });
});

describe("members of a volume of LVM", () => {
  it("that are missing make it read-only, until writing is allowed", async () => {
    const images = await filled(RAID5);
    const missing = (): (Layer | null)[] => [null, ...disks(images.slice(1))];
    const { device, layer, problems, opened } = await openDm(RAID5, missing());
    expect(layer.support.write).toBe("none");
    expect(opened.state).toBe("clean, degraded");
    expect(problems.map(({ code }) => code)).toEqual(["CEV_DEGRADED"]);
    expect(await device.read(0, RAID5.size)).toEqual(pattern(RAID5.size));
    await device.close();
    const allowed = await openDm(RAID5, missing(), { degraded: true });
    expect(allowed.layer.support.write).not.toBe("none");
    await allowed.device.close();
  });

  it("that missed writes are rebuilt by the bitmap when it is opened for writing", async () => {
    const images = await filled(RAID5);
    const [first, second, third] = disks(images);
    const without = await openDm(RAID5, [first!, null, third!], { degraded: true });
    await without.device.write(4096, pattern(4096, 7));
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
    expect(superblockOf(RAID5, second!.bytes, 1)).toMatchObject({ roles: [0, 1, 2], resyncSectors: null });
    const again = await openDm(RAID5, [null, second!, third!], { isReadOnly: true });
    expect(await again.device.read(4096, 4096)).toEqual(pattern(4096, 7));
    await again.device.close();
  });

  it("that LVM has put there are rebuilt whatever they carry; others without a superblock are left out", async () => {
    const images = await filled(RAID5);
    images[2]!.fill(0);
    const left = await openDm(RAID5, disks(images));
    expect(left.layer.support.write).toBe("none");
    expect(left.problems[0]!.message).toContain("has no dm-raid superblock");
    await left.device.close();
    images[2]!.fill(0x77);
    const members = disks(images);
    const { device, layer } = await openDm({ ...RAID5, rebuild: [2] }, members);
    await layer.idle();
    await device.close();
    const again = await openDm(RAID5, [null, members[1]!, members[2]!], { isReadOnly: true });
    expect(await again.device.read(0, RAID5.size)).toEqual(pattern(RAID5.size));
    await again.device.close();
  });

  it("that were run apart are refused where they are of one age, and else the older ones are left alone", async () => {
    const option = dmOption("raid1", 2);
    const images = await filled(option);
    const [one, other] = disks(images);
    const first = await openDm(option, [one!, null], { degraded: true });
    await first.device.write(0, pattern(4096, 1));
    await first.device.close();
    const second = await openDm(option, [null, other!], { degraded: true });
    await second.device.write(0, pattern(4096, 2));
    await second.device.close();
    await expect(openDm(option, [one!, other!])).rejects.toMatchObject({ code: "CEV_AMBIGUOUS" });
    for (const salt of [3, 4, 5]) {
      const later = await openDm(option, [null, other!], { degraded: true });
      await later.device.write(0, pattern(4096, salt));
      await later.device.close();
    }
    const before = Uint8Array.from(one!.bytes);
    const { device, problems } = await openDm(option, [one!, other!], { degraded: true });
    expect(await device.read(0, 4096)).toEqual(pattern(4096, 5));
    await device.write(8192, pattern(4096, 6));
    await device.close();
    expect(one!.bytes).toEqual(before);
    expect(problems.some(({ message }) => message.includes("run apart"))).toBe(true);
  });

  it("in other positions are refused", async () => {
    const [first, second, third] = disks(await filled(RAID5));
    await expect(openDm(RAID5, [second!, first!, third!])).rejects.toMatchObject({
      code: "CEV_DEGRADED",
      place: { structure: "dm-raid superblock", field: "array_position", byteOffset: 12 },
    });
  });

  it("without any superblock are none of a new volume where one is missing", async () => {
    const blank = dmImages(RAID5).map(({ length }) => new Uint8Array(length));
    const [first, second] = disks(blank);
    await expect(openDm(RAID5, [first!, second!, null])).rejects.toMatchObject({ code: "CEV_NOT_FOUND" });
  });
});

describe("what the bitmap of a volume marks", () => {
  const marked = (changes?: Parameters<typeof dmImages>[1]): Uint8Array[] => dmImages(RAID5, changes, [0b10]);

  it("is unsynced although the superblocks say nothing of it, and is resynced", async () => {
    const images = marked();
    // Member data of the region that is marked.
    images[0]!.fill(0x99, DM_META_SIZE + 16_384, DM_META_SIZE + 20_480);
    const members = disks(images);
    const looked = await openDm(RAID5, members, { isReadOnly: true });
    expect(looked.opened.state).toBe("dirty");
    await looked.device.close();
    const { device, layer } = await openDm(RAID5, members);
    await layer.idle();
    expect(await layer.check()).toBe(0);
    await device.close();
    expect(members[0]!.bytes[BITMAP_BITS]).toBe(0);
  });

  it("is not reconstructed for a member that is missing, unless that is forced", async () => {
    const { device, layer, opened } = await openDm(RAID5, [null, ...disks(marked().slice(1))], {
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
    const forced = await openDm(RAID5, [null, ...disks(marked().slice(1))], { degraded: true, force: true });
    expect(await forced.device.read(region.start, 4096)).toEqual(new Uint8Array(4096));
    expect(forced.layer.support.write).not.toBe("none");
    await forced.device.close();
  });

  it("is what a member missed where one had failed before, and that is said", async () => {
    const failed = { roles: [Role.faulty, 1, 2] };
    const { device, layer, problems, opened } = await openDm(
      RAID5,
      [null, ...disks(marked(() => failed).slice(1))],
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
    const members = disks(await filled(option));
    const { device } = await openDm(option, [null, members[1]!, members[2]!], { degraded: true });
    await device.write(0, pattern(4096, 1));
    const left = members.map(({ bytes }) => Uint8Array.from(bytes));
    await device.close();
    const after = await openDm(option, [null, ...disks(left.slice(1))], { degraded: true });
    expect(after.opened.state).toBe("dirty, degraded");
    expect(after.layer.support.write).toBe("none");
    await after.device.close();
  });

  it("is resynced also below the place that a resync had come to", async () => {
    const images = marked(() => ({ resyncSectors: 96 }));
    images[0]!.fill(0x99, DM_META_SIZE + 16_384, DM_META_SIZE + 20_480);
    const members = disks(images);
    const { device, layer } = await openDm(RAID5, members);
    await layer.idle();
    expect(await layer.check()).toBe(0);
    await device.close();
  });
});

describe("the superblock of a volume, which has no checksum", () => {
  it("is refused where it claims more events than its own bitmap", async () => {
    const option = dmOption("raid1", 3);
    const images = await filled(option);
    // The stale one of three, whose events were spoiled: it would make the others look old.
    const members = disks(images);
    const without = await openDm(option, [members[0]!, members[1]!, null], { degraded: true });
    await without.device.write(0, pattern(4096, 9));
    await without.device.close();
    members[2]!.bytes[21] = 1;
    const { device, problems } = await openDm(option, members, { isReadOnly: true });
    expect(await device.read(0, 4096)).toEqual(pattern(4096, 9));
    expect(problems[0]!.message).toContain("events");
    await device.close();
  });

  it("counts as synced no further than another member of one age says", async () => {
    const members = disks(
      dmImages(RAID5, (position) => ({ resyncSectors: position === 1 ? 0 : null }), [0xf]),
    );
    members[2]!.bytes.fill(0x99, DM_META_SIZE + 16_384, DM_META_SIZE + 20_480);
    const { device, layer, opened } = await openDm(RAID5, members);
    expect(opened.state).toBe("dirty");
    await layer.idle();
    expect(await layer.check()).toBe(0);
    await device.close();
  });

  it("never gives wrong data for a flipped bit, whichever it is", async () => {
    const option = dmOption("raid5_ls", 3, 4);
    const members = disks(await filled(option));
    const expected = pattern(option.size);
    const spoiled = members[1]!.bytes;
    const environment = environmentFrom(globalThis);
    let openedCount = 0;
    // The superblock up to its last field, and the bitmap's head and first bits.
    const places = [...Array(148).keys(), ...Array.from({ length: 260 }, (_, index) => 4096 + index)];
    for (const at of places)
      for (let bit = 0; bit < 8; bit++) {
        spoiled[at]! ^= 1 << bit;
        try {
          const { device } = await openDm(option, members, { isReadOnly: true, environment });
          const found = await device.read(0, option.size);
          expect(Buffer.compare(found, expected), `byte ${at}, bit ${bit}`).toBe(0);
          await device.close();
          openedCount++;
        } catch (error) {
          expect(isCevError(error) && error.code, `byte ${at}, bit ${bit}: ${String(error)}`).toBe(
            "CEV_AMBIGUOUS",
          );
        }
        spoiled[at]! ^= 1 << bit;
        for (const member of members) {
          expect(member.writeCount).toBe(0);
          member.log.length = 0;
        }
      }
    expect(openedCount).toBeGreaterThan(3000);
  });

  it("loses nothing by a flipped bit when it is written either", async () => {
    const option = dmOption("raid5_ls", 3, 4);
    const images = await filled(option);
    // One bit, low or high, of each field, and of the bitmap's.
    const fields = [0, 4, 8, 12, 16, 24, 32, 40, 48, 52, 56, 60, 64, 72, 84, 88, 96, 112, 120, 144];
    for (const at of [...fields, 4096, 4100, 4104, 4120, 4128, 4136, 4144, 4148, 4152, BITMAP_BITS])
      for (const bit of [0, 5]) {
        const members = disks(images);
        members[1]!.bytes[at]! ^= 1 << bit;
        const expected = pattern(option.size);
        try {
          const { device, layer } = await openDm(option, members, { degraded: true });
          if (layer.support.write !== "none") {
            expected.set(pattern(6000, 3), 5000);
            await device.write(5000, pattern(6000, 3));
            await layer.idle();
          }
          await device.close();
          for (const missing of [null, 0, 2]) {
            const present = members.map((member, index) => (index === missing ? null : member));
            const again = await openDm(option, present, { isReadOnly: true }).catch((error: unknown) => {
              // The one that was spoiled was left out: then no other can be.
              expect(isCevError(error) && error.code, `byte ${at}`).toBe("CEV_DEGRADED");
              return null;
            });
            if (again === null) continue;
            const found = await again.device.read(0, option.size);
            expect(Buffer.compare(found, expected), `byte ${at}, bit ${bit}, without ${missing}`).toBe(0);
            await again.device.close();
          }
        } catch (error) {
          expect(isCevError(error) && error.code, `byte ${at}, bit ${bit}: ${String(error)}`).toBe(
            "CEV_AMBIGUOUS",
          );
          expect(members.every(({ writeCount }) => writeCount === 0)).toBe(true);
        }
      }
  });
});

describe("a new volume", () => {
  const blank = (option: DmRaidOption): MemoryLayer[] =>
    disks(dmImages(option).map(({ length }) => new Uint8Array(length).fill(0x31, DM_META_SIZE)));

  it("is dirty, is synced, and gets superblocks and bitmaps", async () => {
    const option = dmOption("raid6_zr", 5);
    const members = blank(option);
    const { device, layer, opened } = await openDm(option, members);
    expect(opened.state).toBe("dirty");
    await layer.idle();
    expect(await layer.check()).toBe(0);
    await device.close();
    for (const [position, { bytes }] of members.entries())
      expect(superblockOf(option, bytes, position)).toMatchObject({
        resyncSectors: null,
        features: FeatureFlag.bitmap,
      });
    const again = await openDm(option, members, { isReadOnly: true });
    expect(again.opened.state).toBe("clean");
    await again.device.close();
  });

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
    const members = disks([0, 1].map(() => new Uint8Array(option.metadataSize + option.memberSize)));
    await expect(openDm(option, members)).rejects.toMatchObject({ code: "CEV_INVALID" });
  });
});

describe("the option dmRaid", () => {
  const issueOf = async (changes: Record<string, unknown>): Promise<readonly unknown[]> => {
    const result = await RAID_OPTIONS["~standard"].validate({ dmRaid: { ...RAID5, ...changes } });
    return result.issues?.[0]?.path ?? [];
  };

  it.each([
    ["an unknown key", { colour: "red" }, "colour"],
    ["an unknown type", { type: "raid5_zz" }, "type"],
    ["no members", { memberCount: 0 }, "memberCount"],
    ["too few members for the type", { type: "raid6_zr" }, "memberCount"],
    ["fewer entries than members", { members: [0, 1] }, "members"],
    ["one lower twice", { members: [0, 1, 1] }, "members"],
    ["what is no index", { members: [0, 1, "2"] }, "members"],
    ["a size that cannot be shared out", { size: RAID5.size + 512 }, "size"],
    ["a size of broken chunks", { size: RAID5.size - 1024, memberSize: RAID5.memberSize }, "size"],
    ["members that are too small", { memberSize: RAID5.memberSize - 4096 }, "memberSize"],
    ["chunks that are no power of two", { chunkSize: 12_288 }, "chunkSize"],
    ["regions that are no power of two", { regionSize: 3 * 4096 }, "regionSize"],
    ["bytes that are no sectors", { metadataSize: 1000 }, "metadataSize"],
    ["rebuilds past the last member", { rebuild: [3] }, "rebuild"],
    ["a name that is none", { name: 7 }, "name"],
    ["an answer that is none", { nosync: "yes" }, "nosync"],
  ])("refuses %s", async (_what, changes, key) => {
    expect(await issueOf(changes)).toEqual(["dmRaid", key]);
  });

  it("takes what is right, and does not go with create or uuid", async () => {
    expect(await issueOf({})).toEqual([]);
    const both = await RAID_OPTIONS["~standard"].validate({ dmRaid: RAID5, create: { level: 5 } });
    expect(both.issues).toBeDefined();
  });

  it("refuses lowers that are not there, are too small, or have one name", async () => {
    const members = disks(dmImages(RAID5));
    const small = new MemoryLayer("small", new Uint8Array(DM_META_SIZE));
    await expect(openDm(RAID5, [members[0]!, members[1]!, small])).rejects.toMatchObject({
      code: "CEV_INVALID",
    });
  });
});
