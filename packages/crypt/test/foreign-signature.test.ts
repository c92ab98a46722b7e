import { MemoryLayer } from "@cev/test-kit";
import { Device, openTree, closeTree } from "@cev/core";
import { describe, expect, test } from "vitest";
import {
  cryptDriver,
  isLuks,
  luksAddKey,
  luksChangeKey,
  luksConfig,
  luksConvert,
  luksErase,
  luksHeaderBackup,
  luksHeaderRestore,
  luksRepair,
  luksUuid,
  openLuks,
} from "../src/index.ts";
import { goldenImage } from "./luks2-image.ts";
import { UUID, environment } from "./small-volume.ts";

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

  test("nothing is written for the sake of the second copy, whatever the command", async () => {
    const { bytes, passphrase } = goldenImage();
    const whole = new MemoryLayer(environment, { size: bytes.length, contents: bytes.slice() });
    const chunks: Uint8Array[] = [];
    for await (const chunk of luksHeaderBackup(whole, { environment })) chunks.push(chunk);
    const saved = Buffer.concat(chunks);
    const read = (at: number, length: number): Promise<Uint8Array> =>
      Promise.resolve(Uint8Array.from(saved.subarray(at, at + length)));
    const backup = { name: "header.backup", size: saved.length, read };
    bytes.fill(0, 0, 16_384);
    bytes.set(Buffer.from("XFSB"));
    const lower = new MemoryLayer(environment, { size: bytes.length, contents: bytes.slice() });
    const cost = { type: "pbkdf2", hash: "sha256", iterations: 1000 } as const;
    const given = { environment, key: passphrase, keys: [passphrase], newKey: Buffer.from("n"), cost };
    const commands: readonly [code: string, run: () => Promise<unknown>][] = [
      ["CEV_AMBIGUOUS", () => luksAddKey(lower, given)],
      ["CEV_AMBIGUOUS", () => luksChangeKey(lower, given)],
      ["CEV_AMBIGUOUS", () => luksErase(lower, given)],
      ["CEV_AMBIGUOUS", () => luksConfig(lower, { environment, label: "x" })],
      ["CEV_AMBIGUOUS", () => luksUuid(lower, { environment, uuid: UUID })],
      ["CEV_AMBIGUOUS", () => luksConvert(lower, { environment, to: 1 })],
      ["CEV_AMBIGUOUS", () => isLuks(lower, { environment })],
      ["CEV_INVALID", () => luksHeaderRestore(lower, { environment, backup })],
    ];
    for (const [code, run] of commands) {
      await expect(run()).rejects.toMatchObject({ code });
      expect(Buffer.compare(lower.bytes, bytes)).toBe(0);
    }
    await luksHeaderRestore(lower, { environment, backup, allowForeign: true });
    expect((await openLuks(lower, given)).keyslotId).toBe(0);
  });

  test("a partition table, which leaves the magic bytes of the first copy: as if they were not there", async () => {
    const { bytes, passphrase } = goldenImage();
    bytes.fill(0x81, 446, 462).set([0x55, 0xaa], 510);
    const lower = new MemoryLayer(environment, { size: bytes.length, contents: bytes });
    const given = { environment, keys: [passphrase] };
    await expect(openLuks(lower, given)).rejects.toThrow("over the first one there is a boot sector");
    await expect(luksErase(lower, given)).rejects.toMatchObject({ code: "CEV_AMBIGUOUS" });
    expect(Buffer.compare(lower.bytes, bytes)).toBe(0);
  });

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
