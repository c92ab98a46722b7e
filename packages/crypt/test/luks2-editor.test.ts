import { MemoryLayer } from "@cev/test-kit";
import { describe, expect, test } from "vitest";
import { headerDevice } from "../src/header/header-device.ts";
import { luks2VolumeOf } from "../src/luks2/copies.ts";
import { openLuks2Editor } from "../src/luks2/editor.ts";
import type { Luks2Editor } from "../src/luks2/editor.ts";
import { jsonOf, putJson } from "./luks2-image.ts";
import {
  AREAS,
  COPY,
  FIRST,
  SIZE,
  STATES,
  areaOf,
  copiesOf,
  environment,
  kdf,
  keyslot,
  smallVolume,
  volumeOfTwo,
} from "./small-volume.ts";
import { WriteRecorder } from "./write-recorder.ts";

const THIRD = keyslot(2, AREAS + 2 * 4096);
const OPERATIONS: [name: string, work: (editor: Luks2Editor) => Promise<void>][] = [
  ["addKeyslot", (editor) => editor.addKeyslot(THIRD, areaOf(THIRD), 0)],
  [
    "addKeyslot with a digest",
    (editor) => editor.addKeyslot(THIRD, areaOf(THIRD), { kdf, digest: new Uint8Array(32) }),
  ],
  ["replaceKeyslot", (editor) => editor.replaceKeyslot(0, THIRD, areaOf(THIRD), 0)],
  [
    "replaceKeyslot in its place",
    (editor) => {
      const slot = keyslot(0, THIRD.area.offset);
      return editor.replaceKeyslot(0, slot, areaOf(slot), 0);
    },
  ],
  ["removeKeyslots", (editor) => editor.removeKeyslots([0])],
  ["update", (editor) => editor.update((json) => void (json["x"] = "y"))],
  ["rename", (editor) => editor.rename({ label: "new" })],
];

describe("cut at any write, one copy is whole and a key opens", () => {
  const work = OPERATIONS.flatMap(([operation, change]) =>
    STATES.map(([state, , damage]) => ({ name: `${operation}, ${state}`, change, damage })),
  );
  test.each(work)("$name", async ({ change, damage }) => {
    const image = await smallVolume();
    damage(image);
    const recorder = new WriteRecorder(environment, image);
    await change(await openLuks2Editor(headerDevice(recorder, environment)));
    let crashes = 0;
    for (const crash of recorder.crashImages(7, 10)) {
      const volume = luks2VolumeOf(await copiesOf(crash.image));
      const whole = volume.keyslots.filter((slot) => {
        const bytes = crash.image.subarray(slot.area.offset, slot.area.offset + slot.area.size);
        return Buffer.compare(bytes, areaOf(slot)) === 0;
      });
      const bound = volume.digests.find(({ segments }) => segments.includes(0))!.keyslots;
      expect([crash.name, whole.some(({ id }) => bound.includes(id))]).toEqual([crash.name, true]);
      crashes++;
    }
    expect(crashes).toBeGreaterThan(40);
    expect((await copiesOf(recorder.bytes)).other).toBe("same");
  });
});

test("the only copy that is whole is never the first to be written", async () => {
  for (const [, other, damage] of STATES) {
    const image = await smallVolume();
    damage(image);
    const { used, other: found } = await copiesOf(image);
    expect(found).toBe(other);
    const recorder = new WriteRecorder(environment, image);
    const editor = await openLuks2Editor(headerDevice(recorder, environment));
    await editor.rename({ label: "new" });
    const order = recorder.events.filter((event) => event !== null).map(({ offset }) => offset);
    expect(order).toEqual(used === "primary" ? [COPY, 0] : [0, COPY]);
  }
});

test("a write that fails leaves the editor with the copy that is whole, and the next change mends the other", async () => {
  for (const failing of [0, 1, 2, 3]) {
    const lower = new MemoryLayer(environment, { size: SIZE, contents: await smallVolume() });
    const device = headerDevice(lower, environment);
    let count = 0;
    const faulty = {
      ...device,
      writeDurably: async (offset: number, bytes: Uint8Array): Promise<void> => {
        if (count++ !== failing) return device.writeDurably(offset, bytes);
        await device.writeDurably(offset, bytes.subarray(0, 4096));
        throw new Error("the disk does not like it");
      },
    };
    const editor = await openLuks2Editor(faulty);
    const labels = ["one", "two"];
    for (const label of labels) await editor.rename({ label }).catch(() => undefined);
    const { header } = await copiesOf(lower.bytes);
    expect(["", ...labels]).toContain(header.label);
    await editor.rename({ label: "three" });
    expect(await copiesOf(lower.bytes)).toMatchObject({ other: "same", header: { label: "three" } });
  }
});

describe("what a change leaves alone", () => {
  const UNKNOWN =
    '{"big":12345678901234567890,"exact":1.10,"tiny":1e-400,"deep":[{"é":"\\ud800"}],"__proto__":{"a":1}}';

  test("members that are not known, and numbers JavaScript does not have, are written as they were read", async () => {
    const image = await smallVolume();
    const json = jsonOf(image).replace(/\}$/, `,"unknown":${UNKNOWN}}`);
    putJson(image, 0, json);
    putJson(image, COPY, json);
    const lower = new MemoryLayer(environment, { size: SIZE, contents: image });
    const editor = await openLuks2Editor(headerDevice(lower, environment));
    await editor.update(
      (metadata) => void ((metadata["config"] as Record<string, unknown>)["flags"] = ["x"]),
    );
    expect(jsonOf(lower.bytes)).toContain(`"unknown":${UNKNOWN}`);
    expect(jsonOf(lower.bytes, COPY)).toBe(jsonOf(lower.bytes));
  });

  test("all behind a text that became shorter is zero, in both copies", async () => {
    const image = await smallVolume();
    const json = jsonOf(image).replace(/\}$/, `,"long":"${"x".repeat(9000)}"}`);
    putJson(image, 0, json);
    putJson(image, COPY, json);
    const lower = new MemoryLayer(environment, { size: SIZE, contents: image });
    const editor = await openLuks2Editor(headerDevice(lower, environment));
    await editor.update((metadata) => void Reflect.deleteProperty(metadata, "long"));
    for (const at of [0, COPY]) {
      const end = at + 4096 + Buffer.byteLength(jsonOf(lower.bytes, at));
      expect(lower.bytes.subarray(end, at + COPY).every((byte) => byte === 0)).toBe(true);
    }
  });

  test("a token and a digest lose a keyslot that goes, and an unbound digest goes with its last one", async () => {
    const image = await smallVolume();
    const lower = new MemoryLayer(environment, { size: SIZE, contents: image });
    const editor = await openLuks2Editor(headerDevice(lower, environment));
    await editor.addKeyslot(THIRD, areaOf(THIRD), { kdf, digest: new Uint8Array(32) });
    await editor.update(
      (json) => void (json["tokens"] = { "5": { type: "x", keyslots: ["0", "2"], secret: 1 } }),
    );
    expect(editor.volume.digests).toMatchObject([
      { keyslots: [0, 1] },
      { id: 1, keyslots: [2], segments: [] },
    ]);
    await editor.removeKeyslots([0, 2]);
    expect(JSON.parse(jsonOf(lower.bytes))).toMatchObject({
      tokens: { "5": { type: "x", keyslots: [], secret: 1 } },
    });
    expect(editor.volume.digests).toMatchObject([{ id: 0, keyslots: [1] }]);
    for (const slot of [FIRST, THIRD]) {
      const bytes = lower.bytes.subarray(slot.area.offset, slot.area.offset + slot.area.size);
      expect(Buffer.compare(bytes, areaOf(slot))).not.toBe(0);
    }
  });
});

describe("places of new keyslots", () => {
  test("areas of keyslots of any type are not free", async () => {
    const image = await smallVolume();
    const json = JSON.parse(jsonOf(image)) as { keyslots: Record<string, unknown> };
    const area = { type: "vendor", offset: String(AREAS + 2 * 4096), size: "5000" };
    json.keyslots["40"] = { type: "vendor", key_size: 7, area };
    putJson(image, 0, JSON.stringify(json));
    putJson(image, COPY, JSON.stringify(json));
    const lower = new MemoryLayer(environment, { size: SIZE, contents: image });
    const editor = await openLuks2Editor(headerDevice(lower, environment));
    expect(editor.placeKeyslot({ keySize: 1 })).toEqual({
      id: 2,
      area: { offset: AREAS + 4 * 4096, size: 4096 },
    });
    expect(() => editor.placeKeyslot({ keySize: 64 })).toThrow(
      expect.objectContaining({ code: "CEV_NO_SPACE" }),
    );
    for (const id of [0, 32, -1, 1.5])
      expect(() => editor.placeKeyslot({ keySize: 1, id })).toThrow(
        expect.objectContaining({ code: "CEV_INVALID" }),
      );
  });

  test("an area beyond those of keyslots, or one that is taken, is a fault of the program, and nothing is written", async () => {
    const recorder = new WriteRecorder(environment, await smallVolume());
    const editor = await openLuks2Editor(headerDevice(recorder, environment));
    for (const offset of [0, AREAS, 3 * AREAS]) {
      const slot = keyslot(3, offset);
      await expect(editor.addKeyslot(slot, areaOf(slot), 0)).rejects.toThrow();
    }
    expect(recorder.writeCount).toBe(0);
  });
});

describe("nothing is written", () => {
  test.each([
    [
      "CEV_UNKNOWN_FEATURE",
      "a requirement",
      (json: string) => json.replace('"config":{', '"config":{"requirements":{"mandatory":["new"]},'),
    ],
    ["CEV_BAD_METADATA", "a header that is not valid", (json: string) => json.replace('"pbkdf2"', "3")],
  ])("%s: %s", async (code, _name, change) => {
    const image = await smallVolume();
    for (const at of [0, COPY]) putJson(image, at, change(jsonOf(image, at)));
    const recorder = new WriteRecorder(environment, image);
    const device = headerDevice(recorder, environment);
    await expect(
      openLuks2Editor(device).then((editor) => editor.rename({ label: "x" })),
    ).rejects.toMatchObject({ code });
    expect(recorder.writeCount).toBe(0);
  });

  test("CEV_NO_SPACE: a text that does not fit, CEV_BAD_METADATA: one that would not be valid", async () => {
    const recorder = new WriteRecorder(environment, await smallVolume());
    const editor = await openLuks2Editor(headerDevice(recorder, environment));
    const long = editor.update((json) => void (json["x"] = "x".repeat(12_000)));
    await expect(long).rejects.toMatchObject({ code: "CEV_NO_SPACE" });
    const wrong = editor.update((json) => void (json["segments"] = {}));
    await expect(wrong).rejects.toMatchObject({ code: "CEV_BAD_METADATA" });
    expect(recorder.writeCount).toBe(0);
  });

  test("copies of two devices are changed by nobody", async () => {
    const image = await volumeOfTwo();
    const recorder = new WriteRecorder(environment, image);
    await expect(openLuks2Editor(headerDevice(recorder, environment))).rejects.toMatchObject({
      code: "CEV_BAD_METADATA",
      place: { field: "uuid" },
    });
    expect(recorder.writeCount).toBe(0);
  });
});
