import type { Device } from "@cev/core";
import { cryptDriver } from "@cev/crypt";
import { describe, expect, test } from "vitest";
import { deviceName } from "../src/device-name.ts";
import { GoldenCopy } from "../src/golden-copy.ts";
import { loadDisk, withFlippedBit } from "../src/memory-disk.ts";
import { hashOf, openDisks } from "../src/open-disks.ts";
import { Random, chooseSeed } from "../src/random.ts";

const seed = chooseSeed();

/** What the stack says of damaged disks: the hash of one of its devices, and all problems as text. */
async function look(
  disks: readonly Device[],
  name: string,
): Promise<{ readonly sha256: string | null; readonly problems: readonly string[] }> {
  await using stack = await openDisks(disks);
  return { sha256: await hashOf(stack, name), problems: stack.problems.map(({ message }) => message) };
}

async function loadAll(golden: GoldenCopy): Promise<Device[]> {
  return Promise.all(golden.images.map((image, index) => loadDisk(image, `disk${index}`)));
}

/** The bits to flip: `count` of them, within ranges of bytes. */
function choosePlaces(
  random: Random,
  count: number,
  ranges: readonly (readonly [start: number, end: number])[],
): { readonly offset: number; readonly bit: number }[] {
  return Array.from({ length: count }, () => {
    const [start, end] = random.pick(ranges);
    return { offset: start + random.below(end - start), bit: random.below(8) };
  });
}

describe(`any bit of the metadata may be wrong, CEV_SEED=${seed}`, () => {
  test("LUKS2: the other copy of the header says the same", async () => {
    using golden = new GoldenCopy("luks-pbkdf2");
    await using disk = await loadDisk(golden.images[0]!, "disk0");
    const whole = await cryptDriver.probe!(disk);
    expect(whole!.details).not.toHaveProperty("problem");
    // The checksum has room for 64 bytes; SHA-256 takes 32, and nobody looks at the rest.
    const places = choosePlaces(new Random(seed), 500, [
      [0, 480],
      [512, 16_384],
      [16_384, 16_864],
      [16_896, 32_768],
    ]);
    for (const place of places) {
      const found = await withFlippedBit(disk, place, () => cryptDriver.probe!(disk));
      expect(found?.details, `bit ${place.bit} at ${place.offset}`).toEqual({
        ...whole!.details,
        problem: expect.any(String) as string,
      });
    }
  });

  test("LVM2: a metadata area loses to the one on the other physical volume", async () => {
    using golden = new GoldenCopy("lvm");
    const disks = await loadAll(golden);
    const { sha256 } = golden.layer("vg1/linear");
    expect(await look(disks, "vg1/linear")).toEqual({ sha256, problems: [] });
    const text = 4096 + Number(golden.manifest.facts["mda.textOffset"]);
    const places = choosePlaces(new Random(seed), 100, [
      [4096, 4608],
      [text, 4096 + Number(golden.manifest.facts["mda.size"])],
    ]);
    for (const place of places) {
      const found = await withFlippedBit(disks[0]!, place, () => look(disks, "vg1/linear"));
      expect(found, `bit ${place.bit} at ${place.offset}`).toMatchObject({ sha256 });
      expect(found.problems, "it is said").toContainEqual(expect.stringMatching(/disk0.*\d/));
    }
  });

  test("LVM2: without its label a physical volume is not used", async () => {
    using golden = new GoldenCopy("lvm");
    const disks = await loadAll(golden);
    for (const place of choosePlaces(new Random(seed), 100, [[512, 1024]])) {
      const found = await withFlippedBit(disks[0]!, place, () => look(disks, "vg1/linear"));
      expect(found, `bit ${place.bit} at ${place.offset}`).toMatchObject({ sha256: null });
      expect(found.problems, "it is said").toContainEqual(expect.stringMatching(/disk0.*label.*\d/));
    }
  });

  test("md: without its superblock a member is not used, the others carry on", async () => {
    using golden = new GoldenCopy("raid5-4k");
    const disks = await loadAll(golden);
    const name = deviceName(golden.manifest, "md");
    const { sha256 } = golden.layer("md");
    expect(await look(disks, name)).toEqual({ sha256, problems: [] });
    const places = choosePlaces(new Random(seed), 100, [[4096, 4096 + 256 + 2 * 128]]);
    for (const place of places) {
      const found = await withFlippedBit(disks[1]!, place, () => look(disks, name));
      expect(found, `bit ${place.bit} at ${place.offset}`).toMatchObject({ sha256 });
      expect(found.problems, "it is said").toContainEqual(expect.stringMatching(/disk1/));
    }
  });
});
