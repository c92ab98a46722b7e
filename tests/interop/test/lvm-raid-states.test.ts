import { afterAll, beforeAll, expect, test } from "vitest";
import { JUDGE, RaidGroup, openVolume, sha256 } from "../src/lvm-raid.ts";
import type { VolumeKind } from "../src/lvm-raid.ts";
import { Random, chooseSeed } from "../src/random.ts";
import { ORACLE_TOOLS, describeWith } from "../src/tools.ts";
import { workRandomly } from "../raid-matrix/random-work.ts";

const raid5 = (name: string): VolumeKind => ({ name, type: "raid5_ls", stripes: 2, memberCount: 3 });
const KINDS: readonly VolumeKind[] = [
  { ...raid5("fresh"), isFresh: true },
  { name: "fresh6", type: "raid6_nr", stripes: 3, memberCount: 5, isFresh: true },
  { name: "unsynced", type: "raid1", stripes: 0, memberCount: 2, isFresh: true },
  raid5("cut"),
  { name: "cut1", type: "raid1", stripes: 0, memberCount: 2 },
  raid5("crashed"),
  { name: "crashed10", type: "raid10", stripes: 2, memberCount: 4 },
  raid5("failed"),
  raid5("replaced"),
  raid5("halfway"),
];
const AT_WORK = ["cut", "cut1"];
// Offsets in 64 KiB chunks: several regions of the bitmap.
const LATE_WRITES = [0, 9, 30];

/**
 * What happens to volumes after they were filled: one loses a member at work, all but some are stopped, and those are
 * written until the power goes.
 */
const HISTORY = `
vgchange -q -an vg >&2
lvchange -q -ay vg/failed >&2
for part in rmeta rimage; do
  echo "0 $(dmsetup table vg-failed_\${part}_1 | cut -d' ' -f2) error" | dmsetup load vg-failed_\${part}_1
  dmsetup resume vg-failed_\${part}_1
done
seq -f "late %.0f" 1 1000000 | dd of=/dev/vg/failed bs=64k count=9 seek=7 oflag=direct iflag=fullblock status=none || :
dmsetup status vg-failed >&2
echo "sha256 late $(sha256sum </dev/vg/failed | cut -d' ' -f1)"
lvchange -q -an vg/failed >&2
${AT_WORK.map((name) => `lvchange -q -ay vg/${name} >&2`).join("\n")}
settle
for volume in ${AT_WORK.join(" ")}; do
  for chunk in ${LATE_WRITES.join(" ")}; do
    seq -f "new $chunk %.0f" 1 1000000 | dd of=/dev/vg/$volume bs=64k count=1 seek=$chunk oflag=direct iflag=fullblock status=none || :
  done
  echo "sha256 new-$volume $(sha256sum </dev/vg/$volume | cut -d' ' -f1)"
done
`;

describeWith(ORACLE_TOOLS, "LVM's RAID volumes with a history", () => {
  let group: RaidGroup;
  const wanted = new Map<string, string>();
  const seed = chooseSeed();

  beforeAll(async () => {
    group = await RaidGroup.make(KINDS, "power-cut", HISTORY);
  }, 120_000);
  afterAll(() => group[Symbol.dispose]());

  test.each(["fresh", "fresh6"])("%s, never active, is a new array, and is synced", async (name) => {
    const volume = group.volume(name);
    const images = group.members(volume);
    const untouched = images.map(sha256);
    const looked = await openVolume(volume, images, { isReadOnly: true });
    expect(looked.opened.state).toBe("dirty");
    await looked.device.close();
    expect(images.map(sha256)).toEqual(untouched);
    // What is on the disks need not agree.
    for (const image of images)
      image.set(new Random(image.length).bytes(70_000), volume.members[0]!.meta.length);
    const { device, layer } = await openVolume(volume, images);
    const model = await device.read(0, volume.size);
    await workRandomly(device, model, new Random(seed), 50);
    await layer.idle();
    await device.close();
    const again = await openVolume(volume, images, { isReadOnly: true });
    expect(again.opened.state).toBe("clean");
    await again.device.close();
    group.put(volume, images);
    wanted.set(name, sha256(model));
  });

  test("a new array that is not to be synced is clean at once", async () => {
    const volume = group.volume("unsynced");
    const images = group.members(volume);
    const { device, layer, opened } = await openVolume(volume, images, { nosync: true });
    expect(opened.state).toBe("clean");
    const model = await device.read(0, volume.size);
    await workRandomly(device, model, new Random(seed), 50);
    expect(layer.progress).toBeNull();
    await device.close();
    group.put(volume, images);
    wanted.set("unsynced", sha256(model));
  });

  test.each(AT_WORK)(
    "%s, in use when the power went, is dirty by its bitmap and is resynced",
    async (name) => {
      const volume = group.volume(name);
      const images = group.members(volume);
      // Half of a write that was under way, as the power may leave it.
      const { length } = volume.members[1]!.meta;
      images[1]!.fill(0x5a, length + 4096, length + 8192);
      const { device, layer, opened } = await openVolume(volume, images);
      expect(opened.state).toBe("dirty");
      await layer.idle();
      expect(await layer.check()).toBe(0);
      const model = await device.read(0, volume.size);
      await workRandomly(device, model, new Random(seed), 50);
      await device.close();
      group.put(volume, images);
      wanted.set(name, sha256(model));
    },
  );

  test.each(["crashed", "crashed10"])(
    "%s, in use when cev ended, is resynced by the kernel",
    async (name) => {
      const volume = group.volume(name);
      const images = group.members(volume);
      const { device } = await openVolume(volume, images);
      await device.write(128 * 1024, new Random(seed).bytes(64 * 1024));
      await device.write(1024 * 1024, new Random(seed).bytes(128 * 1024));
      const left = images.map((image) => Uint8Array.from(image));
      await device.close();
      const { length } = volume.members[0]!.meta;
      left[2]!.fill(0x5a, length + 65_536, length + 69_632);
      group.put(volume, left);
      const looked = await openVolume(volume, left, { isReadOnly: true });
      expect(looked.opened.state).toBe("dirty");
      wanted.set(name, "");
      await looked.device.close();
    },
  );

  test("a member that failed at work in the kernel is not read, and is rebuilt by the bitmap", async () => {
    const volume = group.volume("failed");
    const late = group.noted("late");
    const images = group.members(volume);
    const looked = await openVolume(volume, images, { isReadOnly: true });
    expect(looked.opened.state).toBe("clean, degraded");
    expect(sha256(await looked.device.read(0, volume.size))).toBe(late);
    await looked.device.close();
    const alone = await openVolume(volume, [images[0]!, null, images[2]!], { isReadOnly: true });
    expect(sha256(await alone.device.read(0, volume.size))).toBe(late);
    await alone.device.close();
    const { device, layer } = await openVolume(volume, images);
    expect(layer.array.members[1]!.isByBitmap).toBe(true);
    await layer.idle();
    expect(layer.array.lostCount).toBe(0);
    expect(await layer.check()).toBe(0);
    await device.close();
    group.put(volume, images);
    wanted.set("failed", late);
  });

  test("a member whose rmeta was cleared is rebuilt from its beginning", async () => {
    const volume = group.volume("replaced");
    const images = group.members(volume);
    images[2] = new Random(seed).bytes(images[2]!.length);
    images[2].fill(0, 0, volume.members[2]!.meta.length);
    // Unless LVM says that it is new, nothing is written to it.
    const unasked = await openVolume(volume, images);
    expect(unasked.opened.state).toBe("clean, degraded");
    expect(unasked.layer.support.write).toBe("none");
    await unasked.device.close();
    const { device, layer } = await openVolume(volume, images, { rebuild: [2] });
    expect(sha256(await device.read(0, volume.size))).toBe(volume.sha256);
    await layer.idle();
    await device.close();
    const survivor = await openVolume(volume, [null, images[1]!, images[2]], { isReadOnly: true });
    expect(sha256(await survivor.device.read(0, volume.size))).toBe(volume.sha256);
    await survivor.device.close();
    group.put(volume, images);
    wanted.set("replaced", volume.sha256);
  });

  test("a rebuild that was cut off goes on in the kernel", async () => {
    const volume = group.volume("halfway");
    const images = group.members(volume);
    images[0] = new Random(seed).bytes(images[0]!.length);
    images[0].fill(0, 0, volume.members[0]!.meta.length);
    const { device } = await openVolume(volume, images, { rebuild: [0] });
    const left = images.map((image) => Uint8Array.from(image));
    await device.close();
    const looked = await openVolume(volume, left, { isReadOnly: true });
    expect(looked.opened.state).toBe("clean, degraded");
    await looked.device.close();
    group.put(volume, left);
    wanted.set("halfway", volume.sha256);
  });

  test("the kernel finds no mismatch in any of them, and every byte equal", async () => {
    const found = (await group.run(JUDGE)).trim().split("\n").sort();
    expect(found).toEqual(
      KINDS.map(({ name, memberCount }) => {
        const hash = wanted.get(name);
        const kept = found.find((line) => line.startsWith(`${name} `))?.split(" ")[3];
        return `${name} 0 ${"A".repeat(memberCount)} ${hash === "" ? kept : hash}`;
      }).sort(),
    );
  }, 120_000);
});
