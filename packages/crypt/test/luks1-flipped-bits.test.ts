import { environmentFrom } from "@cev/core";
import { MemoryLayer } from "@cev/test-kit";
import { expect, test } from "vitest";
import { KDF_LIMITS } from "../src/key/kdf.ts";
import { openLuks } from "../src/open-luks.ts";
import { decodeLuks1Header, encodeLuks1Header } from "../src/luks1/header.ts";
import { Opener, luks1Image } from "./luks1-image.ts";

const HEADER = 592;
const KEYSLOT_0 = 208;
const KEYSLOT_1 = 256;
/** Fields without which keyslot 0 does not open. */
const isNeeded = (at: number): boolean => at < 168 || (at >= KEYSLOT_0 && at < KEYSLOT_1);

/**
 * What opens the device with keyslot 0. Not in it, for there is no checksum: where the data begins, what the device is called, and what
 * other keyslots say, as long as that makes sense.
 */
function meaningOf(bytes: Uint8Array): object {
  const { payloadOffset, uuid, keyslots, hash, ...rest } = decodeLuks1Header(
    bytes.subarray(0, HEADER),
    "image",
  );
  expect([payloadOffset % 512, typeof uuid]).toEqual([0, "string"]);
  return { ...rest, hash: hash.toLowerCase(), slot: keyslots[0] };
}

test("every bit of the header flipped: the same meaning or a clear error, and no more read than an area", async () => {
  const image = await luks1Image({ 0: "zero" });
  const before = decodeLuks1Header(image.subarray(0, HEADER), "image");
  // Iterations that flipped bits ask for are refused, not carried out.
  const opener = new Opener({ ...KDF_LIMITS, iterationsMax: 1000 });
  const outcomes = new Map<string, number>();
  for (let bit = 0; bit < HEADER * 8; bit++) {
    const at = bit >> 3;
    // Of digest and salts, where any bit means another key, one bit of each byte is enough: each costs a derivation.
    if (((at >= 112 && at < 164) || (at >= KEYSLOT_0 + 8 && at < KEYSLOT_0 + 40)) && bit % 8 !== at % 8)
      continue;
    image[at]! ^= 1 << (bit & 7);
    const flipped = image.slice(0, HEADER);
    let reads = 0;
    const [outcome] = await opener.openAll(image, ["zero"], (length) => (reads += length));
    image[at]! ^= 1 << (bit & 7);
    const name = `byte ${at}, bit ${bit & 7}: ${outcome}`;
    // The header, once to know it and once to decode it, and one area.
    expect(reads, name).toBeLessThanOrEqual(512 * 4000 + 16 * 1024);
    if (outcome !== 0)
      expect(
        ["none", "CEV_BAD_METADATA", "CEV_UNKNOWN_FEATURE", "CEV_WRONG_KEY", "CEV_NOT_SUPPORTED"],
        name,
      ).toContain(outcome);
    if (outcome === 0) expect(meaningOf(flipped), name).toEqual(meaningOf(image));
    if (outcome !== 0 && !isNeeded(at))
      expect(() => decodeLuks1Header(flipped, "image"), name).toThrow(
        expect.objectContaining({ code: "CEV_BAD_METADATA" }),
      );
    outcomes.set(String(outcome), (outcomes.get(String(outcome)) ?? 0) + 1);
  }
  for (const expected of [
    "0",
    "none",
    "CEV_BAD_METADATA",
    "CEV_UNKNOWN_FEATURE",
    "CEV_WRONG_KEY",
    "CEV_NOT_SUPPORTED",
  ])
    expect(outcomes.get(expected) ?? 0, expected).toBeGreaterThan(0);
  expect(Buffer.compare(encodeLuks1Header(before), image.subarray(0, HEADER))).toBe(0);
});

test("looking at a damaged header, and failing to open it, writes nothing", async () => {
  const environment = environmentFrom(globalThis);
  for (const at of [0, 7, 72, 104, 108, 112, 208, 252, 255, 584]) {
    const image = await luks1Image({ 0: "zero" });
    image[at]! ^= 0x40;
    const lower = new MemoryLayer(environment, { size: image.length, contents: image });
    await expect(openLuks(lower, { environment, keys: [Buffer.from("no")] })).rejects.toMatchObject({
      code: expect.stringMatching(/^CEV_/) as string,
    });
    expect(Buffer.compare(lower.bytes, image)).toBe(0);
    expect(lower.claims.count).toBe(0);
  }
});
