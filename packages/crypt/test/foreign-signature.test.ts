import { MemoryLayer } from "@cev/test-kit";
import { Device, openTree, closeTree } from "@cev/core";
import { describe, expect, test } from "vitest";
import { cryptDriver, luksRepair, openLuks } from "../src/index.ts";
import { goldenImage } from "./luks2-image.ts";
import { environment } from "./small-volume.ts";

const FOREIGN: readonly (readonly [name: string, offset: number, bytes: string])[] = [
  ["an LVM2 label", 512, "LABELONE"],
  ["an ext file system", 1080, "\x53\xef"],
  ["an XFS file system", 0, "XFSB"],
  ["a partition table", 512, "EFI PART"],
  ["an md superblock", 4096, "\xfc\x4e\x2b\xa9"],
];

describe("something else was written over the first copy of a LUKS2 header", () => {
  test.each(FOREIGN)(
    "%s: the device is not opened by the second copy until it is repaired",
    async (name, at, text) => {
      const { bytes, passphrase } = goldenImage();
      bytes.fill(0, 0, 16_384);
      bytes.set(Buffer.from(text, "latin1"), at);
      const lower = new MemoryLayer(environment, { size: bytes.length });
      await openTree(lower);
      const device = await Device.open(lower, environment, { name: "disk0.img" });
      await device.write(0, bytes);
      expect(await cryptDriver.probe!(device)).toBeNull();
      await device.close();
      const options = { environment, keys: [passphrase] };
      await expect(openLuks(lower, options)).rejects.toMatchObject({ code: "CEV_AMBIGUOUS" });
      await expect(openLuks(lower, options)).rejects.toThrow(name);
      expect(await luksRepair(lower, { environment })).toHaveLength(1);
      expect((await openLuks(lower, options)).keyslotId).toBe(0);
      await closeTree(lower);
    },
  );

  test("with nothing known in its place, the second copy counts", async () => {
    const { bytes, passphrase } = goldenImage();
    bytes.fill(0, 0, 16_384);
    const lower = new MemoryLayer(environment, { size: bytes.length });
    await openTree(lower);
    const device = await Device.open(lower, environment, { name: "disk0.img" });
    await device.write(0, bytes);
    await device.close();
    expect((await openLuks(lower, { environment, keys: [passphrase] })).keyslotId).toBe(0);
    await closeTree(lower);
  });
});
