import { Device, environmentFrom } from "@cev/core";
import { MemoryLayer } from "@cev/test-kit";
import { describe, expect, test } from "vitest";
import {
  cryptDriver,
  luksAddKey,
  luksConvert,
  luksErase,
  luksRepair,
  luksTestPassphrase,
  luksUuid,
  openLuks,
} from "../src/index.ts";
import { UUID, luks1Image } from "./luks1-image.ts";

const environment = environmentFrom(globalThis);
const keys = [Buffer.from("zero")];
type Damage = (image: Uint8Array, view: DataView) => void;

async function damaged(damage: Damage): Promise<MemoryLayer> {
  const image = await luks1Image({ 0: "zero" });
  damage(image, new DataView(image.buffer));
  return new MemoryLayer(environment, { size: image.length, contents: image });
}

describe("a LUKS1 header whose UUID is damaged", () => {
  const damages: readonly [name: string, uuid: string, bytes: string][] = [
    ["one character", `_${UUID.slice(1)}`, "\xff"],
    ["what would lead out of a folder", "___x", "../x\0"],
    ["control characters", `__2J${UUID.slice(4)}`, "\x1b[2J"],
    ["nothing", "_", "\0"],
    ["a byte behind", `${"a".repeat(38)}_`, `${"a".repeat(38)}\xff\x01`],
  ];
  test.each(damages)("%s: it opens, with a warning, as %s", async (_name, uuid, bytes) => {
    const lower = await damaged((image) => image.set(Buffer.from(bytes, "latin1"), 168));
    const problems: string[] = [];
    const opened = await openLuks(lower, { environment, keys, report: (text) => void problems.push(text) });
    expect(opened.volume.uuid).toBe(uuid);
    expect(problems).toEqual([expect.stringContaining("byte 168")]);
  });

  test("nothing is changed but the UUID, and then everything can be", async () => {
    const lower = await damaged((image) => image.set([0xff], 168));
    const before = lower.bytes.slice();
    const cost = { type: "pbkdf2", hash: "sha1", iterations: 1000 } as const;
    const newKey = Buffer.from("new");
    const error = { code: "CEV_BAD_METADATA", place: { field: "uuid", byteOffset: 168 } };
    for (const work of [
      () => luksAddKey(lower, { environment, keys, newKey, cost }),
      () => luksErase(lower, { environment }),
      () => luksConvert(lower, { environment, to: 2 }),
      () => luksRepair(lower, { environment }),
    ])
      await expect(work()).rejects.toMatchObject(error);
    expect(Buffer.compare(lower.bytes, before)).toBe(0);
    await luksUuid(lower, { environment, uuid: UUID });
    expect(Buffer.compare(lower.bytes, await luks1Image({ 0: "zero" }))).toBe(0);
    expect(await luksAddKey(lower, { environment, keys, newKey, cost })).toBe(1);
  });
});

test("whoever looks at the device is told that its header is damaged, not a copy of it", async () => {
  const lower = await damaged((image) => image.set([0xff], 168));
  await using device = await Device.open(lower, environment, { isReadOnly: true });
  expect(await cryptDriver.probe!(device)).toMatchObject({
    summary: `LUKS1 _${UUID.slice(1)}, 1 keyslot (its header is damaged)`,
  });
});

test("where no keyslot is left but one that is damaged, it is not the passphrase that is blamed", async () => {
  const lower = await damaged((image) => image.set([0xff], 208));
  const work = luksTestPassphrase(lower, { environment, keys });
  await expect(work).rejects.toThrow(
    "has no keyslot that opens it; keyslot 0 of the LUKS1 header (byte 208)",
  );
});

test("repair does not call a header sound whose data would begin behind the end of the device", async () => {
  const lower = await damaged((_, view) => view.setUint32(104, 0xffff_ffff));
  const before = lower.bytes.slice();
  await expect(luksRepair(lower, { environment })).rejects.toMatchObject({
    code: "CEV_BAD_METADATA",
    place: { field: "payload-offset" },
  });
  expect(Buffer.compare(lower.bytes, before)).toBe(0);
});
