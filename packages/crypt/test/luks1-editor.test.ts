import { environmentFrom } from "@cev/core";
import { MemoryLayer } from "@cev/test-kit";
import { describe, expect, test } from "vitest";
import { headerDevice } from "../src/header/header-device.ts";
import { openLuks1Editor } from "../src/luks1/editor.ts";
import type { Luks1Editor } from "../src/luks1/editor.ts";
import { luks1AreaSize } from "../src/luks1/header.ts";
import { Opener, SMALL, UUID, keyslotFor, luks1Image } from "./luks1-image.ts";
import { WriteRecorder } from "./write-recorder.ts";

const environment = environmentFrom(globalThis);
const AREA = luks1AreaSize(SMALL.keySize);

async function editorOf(image: Uint8Array): Promise<{ editor: Luks1Editor; disk: WriteRecorder }> {
  const disk = new WriteRecorder(environment, image);
  return { editor: await openLuks1Editor(headerDevice(disk, environment)), disk };
}

async function addKey(editor: Luks1Editor, id: number, text: string): Promise<void> {
  const { area } = editor.placeKeyslot({ keySize: SMALL.keySize, id });
  const made = await keyslotFor(SMALL, id, area.offset, text);
  await editor.addKeyslot(made.slot, made.area, 0);
}

describe("every change, cut at any write, leaves each key that was to stay", () => {
  const all = { 0: "zero", 5: "five", 6: "six", 7: "seven" };
  interface Change {
    readonly work: (editor: Luks1Editor) => Promise<void>;
    /** Open before, at every cut, and afterwards. */
    readonly stay: readonly string[];
    /** Of these one opens at every cut, and afterwards the second. */
    readonly eitherOr?: readonly [string, string];
    readonly gone?: readonly string[];
    readonly added?: readonly string[];
  }
  const changes: Readonly<Record<string, Change>> = {
    "a key added in keyslot 1": {
      work: (editor) => addKey(editor, 1, "new"),
      stay: ["zero", "five", "six", "seven"],
      added: ["new"],
    },
    "a key replaced": {
      work: async (editor) => {
        const { area, id } = editor.placeKeyslot({ keySize: SMALL.keySize });
        const made = await keyslotFor(SMALL, id, area.offset, "new");
        await editor.replaceKeyslot(0, made.slot, made.area, 0);
      },
      stay: ["five", "six", "seven"],
      eitherOr: ["zero", "new"],
      gone: ["zero"],
    },
    "the keyslot in two sectors removed": {
      work: (editor) => editor.removeKeyslots([6]),
      stay: ["zero", "five", "seven"],
      gone: ["six"],
    },
    "three removed at once": {
      work: (editor) => editor.removeKeyslots([7, 5, 6]),
      stay: ["zero"],
      gone: ["five", "six", "seven"],
    },
    "another UUID": {
      work: (editor) => editor.setUuid("11111111-2222-3333-4444-555555555555"),
      stay: ["zero", "five", "six", "seven"],
    },
  };
  test.each(Object.keys(changes))("%s", async (name) => {
    const { work, stay, eitherOr, gone = [], added = [] } = changes[name]!;
    const { editor, disk } = await editorOf(await luks1Image(all));
    await work(editor);
    const opener = new Opener();
    let imageCount = 0;
    for (const { name: cut, image } of disk.crashImages(1, 3)) {
      imageCount++;
      for (const text of stay) expect(await opener.open(image, text), `${text}, ${cut}`).toBeTypeOf("number");
      if (eitherOr === undefined) continue;
      const outcomes = await Promise.all(eitherOr.map((text) => opener.open(image, text)));
      expect(
        outcomes.some((outcome) => typeof outcome === "number"),
        `either, ${cut}`,
      ).toBe(true);
    }
    expect(imageCount).toBeGreaterThan(2 * disk.writeCount);
    for (const text of gone) expect(await opener.open(disk.bytes, text)).toBe("CEV_WRONG_KEY");
    for (const text of [...added, ...(eitherOr?.slice(1) ?? [])])
      expect(await opener.open(disk.bytes, text)).toBeTypeOf("number");
    // The header that was written is the one the editor goes on with.
    expect((await editorOf(disk.bytes)).editor.header).toEqual(editor.header);
  });

  test("keyslot 6, of which each sector has a part, is enabled whole or not at all", async () => {
    const { editor, disk } = await editorOf(await luks1Image({ 0: "zero", 7: "seven" }));
    await addKey(editor, 6, "six");
    const opener = new Opener();
    for (const { name: cut, image } of disk.crashImages(1, 3)) {
      for (const text of ["zero", "seven"]) expect(await opener.open(image, text), cut).toBeTypeOf("number");
      const isEnabled = new DataView(image.buffer).getUint32(208 + 6 * 48) === 0x00ac71f3;
      expect(await opener.open(image, "six"), cut).toBe(isEnabled ? 6 : "CEV_WRONG_KEY");
    }
    expect(await opener.open(disk.bytes, "six")).toBe(6);
  });
});

describe("what is removed is gone", () => {
  test("its material is overwritten before the header forgets it, its salt is zero", async () => {
    const image = await luks1Image({ 0: "zero", 2: "two" });
    const { editor, disk } = await editorOf(image);
    const { offset } = editor.header.keyslots[2]!;
    await editor.removeKeyslots([2]);
    const [first] = disk.events;
    expect(first).toMatchObject({ offset });
    expect(first!.bytes).toHaveLength(AREA);
    const sectors = Array.from({ length: AREA / 512 }, (_, at) => offset + at * 512);
    for (const at of sectors)
      expect(Buffer.compare(disk.bytes.subarray(at, at + 512), image.subarray(at, at + 512))).not.toBe(0);
    expect(editor.header.keyslots[2]).toMatchObject({ state: "disabled", iterations: 0, offset });
    expect(editor.header.keyslots[2]!.salt.every((byte) => byte === 0)).toBe(true);
  });

  test("erase leaves no key, and the data as it was", async () => {
    const { editor, disk } = await editorOf(await luks1Image({ 0: "zero", 6: "six", 7: "seven" }));
    const data = disk.bytes.slice(SMALL.dataOffset);
    await editor.erase();
    const opener = new Opener();
    for (const text of ["zero", "six", "seven"])
      expect(await opener.open(disk.bytes, text)).toBe("CEV_WRONG_KEY");
    expect(editor.volume.keyslots).toEqual([]);
    expect(Buffer.compare(disk.bytes.subarray(SMALL.dataOffset), data)).toBe(0);
  });
});

describe("what cannot be done is refused, and nothing is written", () => {
  const full = Object.fromEntries(Array.from({ length: 8 }, (_, id) => [id, `key ${id}`]));

  async function refused(
    image: Uint8Array,
    work: (editor: Luks1Editor) => unknown,
    code: string,
  ): Promise<void> {
    const { editor, disk } = await editorOf(image);
    await expect((async () => work(editor))()).rejects.toMatchObject({ code });
    expect(disk.events).toEqual([]);
  }

  test("a ninth key, or a key replaced while all eight keyslots are in use", async () => {
    const image = await luks1Image(full);
    await refused(image, (editor) => editor.placeKeyslot({ keySize: 16 }), "CEV_NO_SPACE");
    const { editor } = await editorOf(image);
    expect(() => editor.placeKeyslot({ keySize: 16 })).toThrow(
      expect.objectContaining({
        place: expect.objectContaining({ hint: expect.any(String) as string }) as object,
      }),
    );
    const made = await keyslotFor(SMALL, 3, editor.header.keyslots[3]!.offset, "new");
    await refused(image, (other) => other.replaceKeyslot(3, made.slot, made.area, 0), "CEV_INVALID");
  });

  test.each<[name: string, change: (slot: Awaited<ReturnType<typeof keyslotFor>>["slot"]) => object]>([
    [
      "argon2",
      (slot) => ({
        kdf: { type: "argon2id", passes: 1, memoryKibibytes: 64, lanes: 1, salt: slot.kdf.salt },
      }),
    ],
    ["another hash", (slot) => ({ kdf: { ...slot.kdf, hash: "sha256" } })],
    ["another hash of the splitter", () => ({ splitHash: "sha256" })],
    ["a short salt", (slot) => ({ kdf: { ...slot.kdf, salt: new Uint8Array(16) } })],
    ["another cipher", (slot) => ({ area: { ...slot.area, encryption: "aes-xts-plain64" } })],
    ["another place", (slot) => ({ area: { ...slot.area, offset: slot.area.offset + 512 } })],
    ["fewer stripes", () => ({ stripes: 100 })],
    ["a priority", () => ({ priority: "prefer" })],
    ["a number in use", () => ({ id: 0 })],
    ["a number there is not", () => ({ id: 8 })],
    ["a key of another size", () => ({ keySize: 32 })],
  ])("a keyslot with %s", async (_name, change) => {
    const image = await luks1Image({ 0: "zero" });
    await refused(
      image,
      async (editor) => {
        const { area } = editor.placeKeyslot({ keySize: 16, id: 1 });
        const made = await keyslotFor(SMALL, 1, area.offset, "new");
        await editor.addKeyslot({ ...made.slot, ...change(made.slot) }, made.area, 0);
      },
      "CEV_INVALID",
    );
  });

  test("a digest of its own; a keyslot that holds no key; a UUID that is none", async () => {
    const image = await luks1Image({ 0: "zero" });
    const digest = {
      kdf: { type: "pbkdf2", hash: "sha1", iterations: 1, salt: new Uint8Array(32) },
      digest: new Uint8Array(20),
    } as const;
    await refused(
      image,
      async (editor) => {
        const made = await keyslotFor(SMALL, 1, editor.header.keyslots[1]!.offset, "new");
        await editor.addKeyslot(made.slot, made.area, digest);
      },
      "CEV_NOT_SUPPORTED",
    );
    await refused(image, (editor) => editor.removeKeyslots([0, 1]), "CEV_INVALID");
    await refused(image, (editor) => editor.setUuid("../../etc"), "CEV_INVALID");
    await refused(image, (editor) => editor.setUuid("a".repeat(40)), "CEV_INVALID");
  });

  test("a header with a keyslot neither enabled nor disabled opens, says so, and is not edited", async () => {
    const image = await luks1Image({ 0: "zero", 3: "three" });
    new DataView(image.buffer).setUint32(208 + 3 * 48, 0x00ac71f2);
    const opener = new Opener();
    expect(await opener.open(image, "zero")).toBe(0);
    expect(await opener.open(image, "three")).toBe("CEV_WRONG_KEY");
    const disk = new WriteRecorder(environment, image);
    await expect(openLuks1Editor(headerDevice(disk, environment))).rejects.toMatchObject({
      code: "CEV_BAD_METADATA",
      place: { field: "keyslot 3 active", byteOffset: 352 },
    });
    expect(disk.events).toEqual([]);
  });
});

test("on a disk with blocks of 4096 bytes areas and sectors are put between what is there", async () => {
  const image = await luks1Image({ 0: "zero" });
  const disk = new MemoryLayer(environment, { size: image.length, contents: image, blockSize: 4096 });
  const editor = await openLuks1Editor(headerDevice(disk, environment));
  await addKey(editor, 6, "six");
  const opener = new Opener();
  expect(await opener.open(disk.bytes, "six")).toBe(6);
  expect(await opener.open(disk.bytes, "zero")).toBe(0);
  expect(disk.bytes.subarray(592, 4096).every((byte) => byte === 0)).toBe(true);
});

test("the header says the same after each change, and a backup goes to the end of the last area", async () => {
  const { editor } = await editorOf(await luks1Image({ 0: "zero" }));
  expect(editor.volume.uuid).toBe(UUID);
  expect(editor.backupLength).toBe(4096 + 8 * 65_536);
  await addKey(editor, 4, "four");
  expect(editor.volume.keyslots.map(({ id }) => id)).toEqual([0, 4]);
  expect(editor.volume.digests[0]!.keyslots).toEqual([0, 4]);
});
