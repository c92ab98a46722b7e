import { MemoryLayer } from "@cev/test-kit";
import { describe, expect, test } from "vitest";
import {
  luksConfig,
  luksRepair,
  luksUuid,
  tokenAddKeyring,
  tokenExport,
  tokenImport,
  tokenRemove,
  tokenUnassign,
} from "../src/index.ts";
import { planLuks2Layout } from "../src/luks2/layout.ts";
import { jsonOf } from "./luks2-image.ts";
import { SIZE, UUID, copiesOf, environment, smallVolume } from "./small-volume.ts";

async function device(): Promise<MemoryLayer> {
  return new MemoryLayer(environment, { size: SIZE, contents: await smallVolume() });
}

function metadataOf(lower: MemoryLayer): Record<string, Record<string, unknown>> {
  return JSON.parse(jsonOf(lower.bytes)) as Record<string, Record<string, unknown>>;
}

test("luksUuid reads the UUID and sets it in both copies", async () => {
  const lower = await device();
  expect(await luksUuid(lower, { environment })).toBe(UUID);
  const uuid = "ABCDEF01-2345-4678-9abc-def012345678";
  expect(await luksUuid(lower, { environment, uuid })).toBe(uuid.toLowerCase());
  expect(await copiesOf(lower.bytes)).toMatchObject({ other: "same", header: { uuid: uuid.toLowerCase() } });
  await expect(luksUuid(lower, { environment, uuid: "../x" })).rejects.toMatchObject({ code: "CEV_INVALID" });
});

describe("luksConfig", () => {
  test("label, subsystem, priority and flags are set in one update; flags that are not known stay", async () => {
    const lower = await device();
    await luksConfig(lower, { environment, flags: ["no-journal"] });
    const before = (await copiesOf(lower.bytes)).header.sequenceId;
    await luksConfig(lower, {
      environment,
      label: "größe",
      subsystem: "s",
      keyslot: 1,
      priority: "prefer",
      flags: ["allow-discards"],
    });
    const { header, other } = await copiesOf(lower.bytes);
    expect({ label: header.label, subsystem: header.subsystem, other }).toEqual({
      label: "größe",
      subsystem: "s",
      other: "same",
    });
    expect(header.sequenceId).toBe(before + 1n);
    expect(metadataOf(lower)).toMatchObject({
      keyslots: { "1": { priority: 2 } },
      config: { flags: ["allow-discards"] },
    });
  });

  test.each([
    ["a label that is too long", { label: "x".repeat(48) }],
    ["a flag that is not known", { flags: ["fast"] }],
    ["a keyslot that is not there", { keyslot: 7, priority: "ignore" as const }],
    ["a priority of nothing", { priority: "ignore" as const }],
  ])("%s: CEV_INVALID, and nothing is written", async (_name, options) => {
    const lower = await device();
    const before = lower.bytes.slice();
    await expect(luksConfig(lower, { environment, ...options })).rejects.toMatchObject({
      code: "CEV_INVALID",
    });
    expect(Buffer.compare(lower.bytes, before)).toBe(0);
  });
});

describe("tokens", () => {
  const json = '{"type":"x","keyslots":["1"],"secret":12345678901234567890}';

  test("what is imported is exported as it was, and goes again", async () => {
    const lower = await device();
    expect(await tokenImport(lower, { environment, json: `\n${json}\n`, id: 3 })).toBe(3);
    expect(await tokenExport(lower, { environment, id: 3 })).toBe(json);
    expect(await tokenAddKeyring(lower, { environment, keyDescription: "cev:k" })).toBe(0);
    expect(metadataOf(lower)["tokens"]!["0"]).toEqual({
      type: "luks2-keyring",
      keyslots: ["0", "1"],
      key_description: "cev:k",
    });
    await tokenUnassign(lower, { environment, id: 3, keyslot: 1 });
    expect(metadataOf(lower)["tokens"]!["3"]).toMatchObject({ keyslots: [] });
    await tokenRemove(lower, { environment, id: 3 });
    await expect(tokenExport(lower, { environment, id: 3 })).rejects.toMatchObject({ code: "CEV_NOT_FOUND" });
    await expect(tokenRemove(lower, { environment, id: 3 })).rejects.toMatchObject({ code: "CEV_NOT_FOUND" });
  });

  test.each([
    "",
    "[]",
    "{}",
    '{"type":"x"}',
    '{"type":"","keyslots":[]}',
    '{"type":"x","keyslots":["9"]}',
    '{"type":"x","keyslots":[]} x',
    '{"type":"luks2-new","keyslots":[]}',
    '{"type":"luks2-keyring","keyslots":[]}',
    '{"type":"luks2-keyring","keyslots":[],"key_description":"k","more":1}',
  ])("%s is none: CEV_INVALID, and nothing is written", async (text) => {
    const lower = await device();
    const before = lower.bytes.slice();
    await expect(tokenImport(lower, { environment, json: text })).rejects.toMatchObject({
      code: "CEV_INVALID",
    });
    expect(Buffer.compare(lower.bytes, before)).toBe(0);
  });

  test("a number that is taken is given again only when asked for", async () => {
    const lower = await device();
    await tokenImport(lower, { environment, json, id: 0 });
    await expect(tokenImport(lower, { environment, json, id: 0 })).rejects.toMatchObject({
      code: "CEV_INVALID",
    });
    await tokenImport(lower, { environment, json, id: 0, replace: true });
  });
});

test("luksRepair says what it does, and does it when it is meant", async () => {
  const lower = await device();
  lower.bytes.fill(0, 0, 4096);
  expect(await luksRepair(lower, { environment, isDryRun: true })).toHaveLength(1);
  expect((await copiesOf(lower.bytes)).other).toBe("missing");
  expect(await luksRepair(lower, { environment })).toHaveLength(1);
  expect((await copiesOf(lower.bytes)).other).toBe("same");
  expect(await luksRepair(lower, { environment })).toEqual([]);
});

// What `cryptsetup luksFormat` makes of the same wishes (luksDump of 2.6.1).
test.each([
  [{}, { metadataSize: 16_384, keyslotsSize: 16_744_448, dataOffset: 16_777_216 }],
  [{ metadataSize: 131_072 }, { metadataSize: 131_072, keyslotsSize: 16_515_072, dataOffset: 16_777_216 }],
  [{ dataOffset: 1_048_576 }, { metadataSize: 16_384, keyslotsSize: 1_015_808, dataOffset: 1_048_576 }],
  [{ keyslotsSize: 262_144 }, { metadataSize: 16_384, keyslotsSize: 262_144, dataOffset: 1_048_576 }],
  [{ isDetached: true }, { metadataSize: 16_384, keyslotsSize: 16_744_448, dataOffset: 0 }],
  [
    { isDetached: true, dataOffset: 524_288 },
    { keyslotsSize: 491_520, dataOffset: 524_288 },
  ],
  [
    { isDetached: true, dataOffset: 18_874_368 },
    { keyslotsSize: 18_841_600, dataOffset: 18_874_368 },
  ],
  [
    { isDetached: true, alignment: 4_194_304 },
    { keyslotsSize: 4_161_536, dataOffset: 4_194_304 },
  ],
  [
    { isDetached: true, dataOffset: 2_097_152, keyslotsSize: 4_194_304 },
    { keyslotsSize: 2_064_384, dataOffset: 2_097_152 },
  ],
])("the layout for %o is cryptsetup's", (wishes, layout) => {
  expect(planLuks2Layout({ deviceSize: 64 * 1024 * 1024, ...wishes })).toMatchObject(layout);
});

test.each([{ dataOffset: 8192 }, { alignment: 8192 }])(
  "data at a byte that would lie within the copies, also of a detached header, is refused as cryptsetup refuses it: %o",
  (wishes) => {
    expect(() => planLuks2Layout({ deviceSize: 64 * 1024 * 1024, isDetached: true, ...wishes })).toThrow(
      /within the header copies/,
    );
  },
);
