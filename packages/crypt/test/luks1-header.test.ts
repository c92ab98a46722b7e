import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { brotliDecompressSync } from "node:zlib";
import { Device, environmentFrom } from "@cev/core";
import { MemoryLayer } from "@cev/test-kit";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { cryptDriver } from "../src/index.ts";
import { decodeLuks1Header } from "../src/luks1/header.ts";
import { openContext } from "./open-context.ts";

const UUID = "6a1d2c9e-8f0b-4e57-9a43-1c5f7be20d11";
const golden = Uint8Array.from(
  brotliDecompressSync(readFileSync(new URL("fixtures/luks1.img.br", import.meta.url))),
);
const environment = environmentFrom(globalThis);

function decodeDamaged(damage: (bytes: Uint8Array, view: DataView) => void): () => unknown {
  const bytes = golden.slice(0, 592);
  damage(bytes, new DataView(bytes.buffer));
  return () => decodeLuks1Header(bytes, "disk0.img");
}

test("a device made by cryptsetup opens, and its plaintext is what the kernel reads", async () => {
  const lower = new MemoryLayer(environment, { size: golden.length, contents: golden });
  const keys = [Buffer.from("wrong"), Buffer.from("correct horse battery staple")];
  const { context, problems } = openContext(lower, environment, { keys });
  const [opened] = await cryptDriver.open(context);
  expect(opened).toMatchObject({ name: `luks/${UUID}`, details: { version: 1, cipher: "aes-xts-plain64" } });
  expect(problems).toEqual([]);
  await using device = await Device.open(opened!.layer, environment);
  expect(device.size).toBe(61_440);
  const data = await device.read(0, device.size);
  expect(Buffer.from(data).toString("latin1", 0, 21)).toBe("written by the kernel");
  expect(createHash("sha256").update(data).digest("hex")).toBe(
    "c1171394858240f0e8d3288d8f6146a93cdc12fced6d8892a06f5b805023409d",
  );
});

test("probe tells what it found", async () => {
  const lower = new MemoryLayer(environment, { size: golden.length, contents: golden });
  await using device = await Device.open(lower, environment, { isReadOnly: true });
  expect(await cryptDriver.probe!(device)).toMatchObject({
    summary: `LUKS1 ${UUID}, 1 keyslot`,
    details: {
      dataOffset: 2056 * 512,
      keyslots: [{ id: 0, keyBits: 256, cost: "pbkdf2 sha256, 1000 iterations", areaOffset: 4096 }],
    },
  });
});

describe("what cannot be accepted is named with its byte", () => {
  const cases: [field: string, byteOffset: number, damage: (bytes: Uint8Array, view: DataView) => void][] = [
    ["cipher-name", 8, (bytes) => bytes.fill(0x61, 8, 40)],
    ["hash-spec", 72, (bytes) => bytes.set([0x1b], 72)],
    ["hash-spec", 72, (bytes) => bytes.set(Buffer.from("md5\0"), 72)],
    ["cipher-name", 8, (bytes) => bytes.fill(0, 8, 40)],
    ["keyslot 0 key-material-offset", 248, (_, view) => view.setUint32(104, 1)],
    ["keyslot 7 key-material-offset", 584, (_, view) => view.setUint32(104, 2049)],
    ["key-bytes", 108, (_, view) => view.setUint32(108, 0xffff_ffff)],
    ["mk-digest-iter", 164, (_, view) => view.setUint32(164, 0)],
    ["keyslot 0 iterations", 212, (_, view) => view.setUint32(212, 0)],
    ["keyslot 0 stripes", 252, (_, view) => view.setUint32(252, 1_000_000)],
    ["keyslot 0 stripes", 252, (_, view) => view.setUint32(252, 3999)],
    // Free keyslots have a place, too, which a later key would be written to.
    ["keyslot 5 stripes", 492, (_, view) => view.setUint32(492, 0)],
    ["keyslot 5 key-material-offset", 488, (_, view) => view.setUint32(488, 9)],
    ["keyslot 0 key-material-offset", 248, (_, view) => view.setUint32(248, 1)],
    ["keyslot 0 key-material-offset", 248, (_, view) => view.setUint32(248, 0xffff_ffff)],
    ["keyslot 1 key-material-offset", 296, (bytes) => bytes.copyWithin(256, 208, 256)],
  ];
  test.each(cases)("%s at byte %i", (field, byteOffset, damage) => {
    expect(decodeDamaged(damage)).toThrow(
      expect.objectContaining({
        code: "CEV_BAD_METADATA",
        place: expect.objectContaining({ source: "disk0.img", field, byteOffset }) as object,
      }),
    );
  });

  test("any bytes are decoded or refused, never more", () => {
    const edits = fc.array(fc.tuple(fc.nat(591), fc.nat(255)), { maxLength: 20 });
    fc.assert(
      fc.property(edits, fc.integer({ min: 0, max: 592 }), (changes, length) => {
        const bytes = golden.slice(0, length);
        for (const [at, value] of changes) if (at < length) bytes[at] = value;
        try {
          decodeLuks1Header(bytes, "disk0.img");
        } catch (error) {
          expect((error as { code?: string }).code).toBe("CEV_BAD_METADATA");
        }
      }),
      { numRuns: 300 },
    );
  });

  test("a device that ends within the header or the data is refused", async () => {
    for (const size of [4096, 2056 * 512]) {
      const lower = new MemoryLayer(environment, { size, contents: golden.subarray(0, size) });
      await using device = await Device.open(lower, environment, { isReadOnly: true });
      await expect(cryptDriver.probe!(device)).rejects.toMatchObject({ code: "CEV_BAD_METADATA" });
    }
  });
});
