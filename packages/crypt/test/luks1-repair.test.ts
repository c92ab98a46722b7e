import { environmentFrom } from "@cev/core";
import { describe, expect, test } from "vitest";
import { headerDevice } from "../src/header/header-device.ts";
import { repairLuks1 } from "../src/luks1/repair.ts";
import { Opener, SMALL, luks1Image } from "./luks1-image.ts";
import { WriteRecorder } from "./write-recorder.ts";

const environment = environmentFrom(globalThis);
const slot = (id: number): number => 208 + id * 48;
type Damage = (image: Uint8Array, view: DataView) => void;

async function damaged(damage: Damage): Promise<WriteRecorder> {
  const image = await luks1Image({ 0: "zero", 7: "seven" });
  damage(image, new DataView(image.buffer));
  return new WriteRecorder(environment, image);
}

const repair = (disk: WriteRecorder): Promise<readonly string[]> =>
  repairLuks1(headerDevice(disk, environment));

describe("what is known to go wrong is put right, and the keys in use open", () => {
  test.each<[name: string, damage: Damage, repairedCount: number]>([
    ["the place of a free keyslot", (_, view) => view.setUint32(slot(3) + 40, 9), 1],
    [
      "the stripes of two free keyslots",
      (_, view) => [1, 5].forEach((id) => view.setUint32(slot(id) + 44, id)),
      2,
    ],
    ["a free keyslot overwritten", (image) => image.fill(0xff, slot(4), slot(5)), 1],
    [
      "a partition table, which ends in keyslot 6",
      (image) => {
        image.fill(0, slot(5), 510);
        image.set([0x55, 0xaa], 510);
      },
      2,
    ],
    ["a hash in capitals", (image) => image.set(Buffer.from("SHA1"), 72), 1],
  ])("%s", async (_name, damage, repairedCount) => {
    const disk = await damaged(damage);
    const data = Buffer.from(disk.bytes.subarray(1024));
    const done = await repair(disk);
    expect(done).toHaveLength(repairedCount);
    const intact = await luks1Image({ 0: "zero", 7: "seven" });
    expect(Buffer.compare(disk.bytes.subarray(0, 1024), intact.subarray(0, 1024))).toBe(0);
    expect(data.compare(disk.bytes, 1024)).toBe(0);
    expect(await new Opener().openAll(disk.bytes, ["zero", "seven"])).toEqual([0, 7]);
    // After a cut the next repair finishes it.
    for (const { name, image } of disk.crashImages()) {
      const again = new WriteRecorder(environment, image);
      await repair(again);
      expect(Buffer.compare(again.bytes, disk.bytes), name).toBe(0);
    }
  });
});

test("ecb with an initialisation vector becomes ecb", async () => {
  const disk = await damaged((image) => image.set(Buffer.from("ecb-plain\0\0\0"), 40));
  expect(await repair(disk)).toHaveLength(1);
  expect(Buffer.from(disk.bytes.subarray(40, 72)).toString("latin1")).toBe("ecb".padEnd(32, "\0"));
});

test("a header without such a fault stays as it is, byte for byte, also with a cipher that is not known", async () => {
  for (const cipher of ["aes", "rot13"]) {
    const disk = await damaged((image) => image.fill(0, 8, 40).set(Buffer.from(cipher), 8));
    expect(await repair(disk)).toEqual([]);
    expect(disk.events).toEqual([]);
  }
});

describe("what is not fully understood is refused, and nothing is written", () => {
  test.each<[name: string, damage: Damage, field: string]>([
    ["stripes of a keyslot in use", (_, view) => view.setUint32(slot(0) + 44, 1), "keyslot 0 stripes"],
    [
      "the place of a keyslot in use",
      (_, view) => view.setUint32(slot(7) + 40, 9),
      "keyslot 7 key-material-offset",
    ],
    [
      "an odd size of the key",
      (_, view) => {
        view.setUint32(108, 24);
        view.setUint32(slot(3) + 44, 1);
      },
      "key-bytes",
    ],
    [
      "keyslots of the first version, that begin earlier",
      (_, view) => {
        view.setUint32(slot(0) + 40, 2);
        view.setUint32(slot(3) + 44, 1);
      },
      "keyslot 0 key-material-offset",
    ],
    [
      "a hash that is not known",
      (image, view) => {
        image.set(Buffer.from("ROT5"), 72);
        view.setUint32(slot(3) + 44, 1);
      },
      "cipher-name",
    ],
    // Nobody can say whether it is in use, and a header with it is not changed.
    [
      "a keyslot that is neither enabled nor disabled",
      (image) => void (image[slot(7)]! ^= 1),
      "keyslot 7 active",
    ],
    [
      "such a keyslot beside a fault that is known",
      (image) => {
        image.set(Buffer.from("SHA1"), 72);
        image[slot(7)]! ^= 1;
      },
      "keyslot 7 active",
    ],
    [
      "data that begins within the keyslots",
      (_, view) => view.setUint32(104, SMALL.dataOffset / 512 - 128),
      "keyslot 7 key-material-offset",
    ],
  ])("%s", async (_name, damage, field) => {
    const disk = await damaged(damage);
    await expect(repair(disk)).rejects.toMatchObject({ code: "CEV_BAD_METADATA", place: { field } });
    expect(disk.events).toEqual([]);
  });
});
