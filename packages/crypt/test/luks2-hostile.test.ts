import { createHash } from "node:crypto";
import { formatError } from "@cev/core";
import { MemoryLayer } from "@cev/test-kit";
import { describe, expect, test } from "vitest";
import { headerDevice } from "../src/header/header-device.ts";
import { luksAddKey, luksConfig, luksDump, luksErase, luksHeaderRestore, openLuks } from "../src/index.ts";
import { openLuks2Editor } from "../src/luks2/editor.ts";
import { decodeLuks2Header } from "../src/luks2/header.ts";
import { changeMetadata, goldenImage, jsonOf, putJson } from "./luks2-image.ts";
import type { Metadata } from "./luks2-image.ts";
import { COPY, environment, smallVolume } from "./small-volume.ts";

type Record_ = Record<string, unknown>;

/** The golden device with other metadata in both copies. */
function changed(change: (metadata: Metadata) => void): { lower: MemoryLayer; passphrase: Uint8Array } {
  const { bytes, passphrase } = goldenImage();
  changeMetadata(bytes, change);
  return { lower: new MemoryLayer(environment, { size: bytes.length, contents: bytes }), passphrase };
}

/** A keyslot like number 0, in an area behind its own, with some things otherwise. */
function anotherKeyslot(metadata: Metadata, others: Record_): Record_ {
  const first = metadata["keyslots"]!["0"]!;
  const area = first["area"] as Record_;
  const offset = String(Number(area["offset"]) + Number(area["size"]));
  const dataOffset = Number(metadata["segments"]!["0"]!["offset"]);
  Object.assign(metadata["config"]!, { keyslots_size: String(dataOffset - 2 * COPY) });
  return { ...structuredClone(first), area: { ...area, offset }, ...others };
}

function bind(metadata: Metadata, name: string): void {
  (metadata["digests"]!["0"]!["keyslots"] as string[]).push(name);
}

const openWith = ({
  lower,
  passphrase,
}: {
  lower: MemoryLayer;
  passphrase: Uint8Array;
}): ReturnType<typeof openLuks> => openLuks(lower, { environment, keys: [passphrase] });

describe("one key opens the data, and no other way leads to another one", () => {
  test("two digests of the one segment are refused", async () => {
    const device = changed((metadata) => {
      metadata["digests"]!["1"] = { ...metadata["digests"]!["0"], keyslots: [] };
    });
    await expect(openWith(device)).rejects.toThrow("2 digests belong to segment 0");
  });

  test("a digest that names a keyslot otherwise than its number does not stand for it", async () => {
    const device = changed((metadata) => {
      const digests = metadata["digests"]!;
      metadata["keyslots"]!["00"] = anotherKeyslot(metadata, { type: "other" });
      digests["1"] = digests["0"]!;
      digests["0"] = { ...structuredClone(digests["1"]), keyslots: ["00"], segments: [] };
    });
    expect((await openWith(device)).keyslotId).toBe(0);
  });

  test("a keyslot whose key has a strange length does not keep the others shut", async () => {
    const device = changed((metadata) => {
      metadata["keyslots"]!["5"] = anotherKeyslot(metadata, { key_size: 24 });
      bind(metadata, "5");
    });
    expect((await openWith(device)).keyslotId).toBe(0);
  });

  test.each<[name: string, others: (first: Record_) => Record_]>([
    ["a splitter", ({ af }) => ({ af: { ...(af as Record_), hash: "unknown" } })],
    ["a derivation", ({ kdf }) => ({ kdf: { ...(kdf as Record_), hash: "unknown" } })],
    ["a kind of derivation", ({ kdf }) => ({ kdf: { ...(kdf as Record_), type: "unknown" } })],
    ["a derivation that costs too much", ({ kdf }) => ({ kdf: { ...(kdf as Record_), iterations: 4e9 } })],
    ["an encryption", ({ area }) => ({ area: { ...(area as Record_), encryption: "unknown-cbc-plain" } })],
    ["a length of its key", ({ area }) => ({ area: { ...(area as Record_), key_size: 17 } })],
  ])("a keyslot with %s that is not known does not keep the others shut", async (_name, others) => {
    const device = changed((metadata) => {
      const keyslots = metadata["keyslots"]!;
      keyslots["5"] = anotherKeyslot(metadata, {});
      bind(metadata, "5");
      Object.assign(keyslots["0"]!, others(keyslots["0"]!));
    });
    // Its key material is that of keyslot 0.
    const { keyslots } = JSON.parse(jsonOf(device.lower.bytes)) as Metadata;
    const to = Number((keyslots!["5"]!["area"] as Record_)["offset"]);
    device.lower.bytes.copyWithin(to, 2 * COPY, to);
    expect((await openWith(device)).keyslotId).toBe(5);
  });

  test("base64 with bits that belong to no byte is refused, as by cryptsetup", async () => {
    const device = changed((metadata) => {
      metadata["digests"]!["0"]!["salt"] = Buffer.alloc(32).toString("base64").replace("A=", "B=");
    });
    await expect(openWith(device)).rejects.toMatchObject({ place: { field: "digests.0.salt" } });
  });

  test("a first sector number that is not one of a whole sector is refused, as by dm-crypt", async () => {
    const withTweak = (iv_tweak: string): ReturnType<typeof changed> =>
      changed((metadata) => void Object.assign(metadata["segments"]!["0"]!, { sector_size: 4096, iv_tweak }));
    await expect(openWith(withTweak("4"))).rejects.toMatchObject({ place: { field: "segments.0.iv_tweak" } });
    expect((await openWith(withTweak("16"))).volume.segment.ivTweak).toBe(16);
  });
});

describe("what is not understood is not written", () => {
  test("erasing takes out keyslots as well that cannot be used here", async () => {
    const { lower } = changed((metadata) => {
      metadata["keyslots"]!["5"] = anotherKeyslot(metadata, { priority: 7 });
      bind(metadata, "5");
    });
    expect(await luksErase(lower, { environment })).toEqual([0, 5]);
    expect((JSON.parse(jsonOf(lower.bytes)) as Metadata)["keyslots"]).toEqual({});
  });

  test("keyslots of a kind that is not known keep nobody from changing something else, and are named where a key is wanted", async () => {
    const { lower, passphrase } = changed((metadata) => {
      (metadata["keyslots"]!["0"]!["kdf"] as Record_)["type"] = "scrypt";
    });
    const keyslot = (): unknown => (JSON.parse(jsonOf(lower.bytes)) as Metadata)["keyslots"]!["0"];
    const before = keyslot();
    await luksConfig(lower, { environment, label: "x" });
    expect(keyslot()).toEqual(before);
    await expect(openWith({ lower, passphrase })).rejects.toThrow(/"scrypt", which is not known/);
    await expect(luksAddKey(lower, { environment, keys: [passphrase], newKey: passphrase })).rejects.toThrow(
      /keyslots\.0\.kdf: .*"scrypt", which is not known/,
    );
  });

  test("a device that cannot be opened here is not changed either", async () => {
    const { lower } = changed((metadata) => {
      metadata["segments"]!["0"]!["integrity"] = {
        type: "hmac(sha256)",
        journal_encryption: "none",
        journal_integrity: "none",
      };
    });
    const before = lower.bytes.slice();
    await expect(luksConfig(lower, { environment, label: "x" })).rejects.toMatchObject({
      code: "CEV_UNKNOWN_FEATURE",
    });
    expect(Buffer.compare(lower.bytes, before)).toBe(0);
  });

  test("a label that is not UTF-8 stays, byte by byte, when something else changes", async () => {
    const label = Buffer.alloc(47, "a\xff\x80", "latin1");
    const image = await smallVolume();
    for (const at of [0, COPY]) {
      const copy = image.subarray(at, at + COPY);
      copy.set(label, 24);
      copy.fill(0, 448, 512).set(createHash("sha256").update(copy).digest(), 448);
    }
    const lower = new MemoryLayer(environment, { size: image.length, contents: image });
    await (await openLuks2Editor(headerDevice(lower, environment))).removeKeyslots([1]);
    for (const at of [0, COPY])
      expect(Buffer.compare(lower.bytes.subarray(at + 24, at + 24 + 47), label)).toBe(0);
    await luksConfig(lower, { environment, label: "grün" });
    expect(Buffer.from(lower.bytes.subarray(24, 30)).toString()).toBe("grün\0");
    expect(await luksDump(lower, { environment })).toMatchObject({ label: "grün" });
  });
});

test("where the sequence number cannot grow, a backup is restored all the same, and nothing else is changed", async () => {
  const { lower: roomy, passphrase } = changed((metadata) => void anotherKeyslot(metadata, {}));
  const [bytes, saved] = [roomy.bytes.slice(), roomy.bytes.slice()];
  for (const at of [0, COPY]) putJson(bytes, at, jsonOf(bytes, at), 2n ** 64n - 1n - sequenceOf(bytes, at));
  // Another key in the place of that in the backup.
  bytes.fill(0x5a, 2 * COPY, 2 * COPY + 4096);
  const lower = new MemoryLayer(environment, { size: bytes.length, contents: bytes });
  await expect(luksConfig(lower, { environment, label: "x" })).rejects.toMatchObject({
    code: "CEV_NOT_SUPPORTED",
  });
  expect(Buffer.compare(lower.bytes, bytes)).toBe(0);
  const read = (at: number, length: number): Promise<Uint8Array> =>
    Promise.resolve(saved.slice(at, at + length));
  await luksHeaderRestore(lower, { environment, backup: { name: "backup", size: saved.length, read } });
  expect((await openWith({ lower, passphrase })).keyslotId).toBe(0);
});

function sequenceOf(image: Uint8Array, at: number): bigint {
  return decodeLuks2Header(image.subarray(at), { source: "image", byteOffset: at }).sequenceId;
}

test("a name in the metadata cannot steer the terminal that an error is shown on", async () => {
  const device = changed((metadata) => void (metadata["keyslots"]!["\u001b[2J\u009b"] = {}));
  const error = await openWith(device).catch((reason: unknown) => reason);
  expect(formatError(error)).toContain("keyslots.");
  expect(formatError(error)).not.toMatch(/\p{Cc}/u);
});
