import { MetadataError } from "@cev/core";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeLuks2Metadata } from "../src/luks2/metadata.ts";
import { decodeArea } from "../src/luks2/read-copy.ts";
import { goldenImage, jsonOf } from "./luks2-image.ts";
import type { Metadata } from "./luks2-image.ts";

const place = { source: "disk0.img", structure: "LUKS2 JSON area", byteOffset: 4096 };
const golden = jsonOf(goldenImage().bytes);

function decode(json: string): ReturnType<typeof decodeLuks2Metadata> {
  const area = new Uint8Array(12_288);
  area.set(Buffer.from(json, "utf8"));
  return decodeLuks2Metadata(decodeArea(area, place));
}

function changed(change: (metadata: Metadata) => void): string {
  const metadata = JSON.parse(golden) as Metadata;
  change(metadata);
  return JSON.stringify(metadata);
}

function decodeChanged(change: (metadata: Metadata) => void): () => unknown {
  const json = changed(change);
  return () => decode(json);
}

/** The error that decoding ends with. */
function errorOf(json: string): MetadataError {
  try {
    decode(json);
  } catch (error) {
    if (error instanceof MetadataError) return error;
    throw error;
  }
  throw new Error("it was decoded");
}

/** The text of the value that a path leads to; of the object it is missing from, when it is. */
function textAt(json: string, path: string): string {
  let value: unknown = JSON.parse(json);
  for (const name of path.split(/[.[\]]+/u).filter((part) => part !== "")) {
    const next = (value as Record<string, unknown>)[name];
    if (next === undefined) break;
    value = next;
  }
  return JSON.stringify(value);
}

test("the golden image's metadata says what luksDump says", () => {
  const { keyslots, segment, digests, tokens, flags, keyslotsSize } = decode(golden);
  expect(segment).toEqual({
    offset: 1_048_576,
    size: null,
    ivTweak: 0,
    encryption: "aes-xts-plain64",
    sectorSize: 512,
  });
  expect(keyslots).toHaveLength(1);
  expect(keyslots[0]).toMatchObject({
    id: 0,
    keySize: 32,
    priority: "normal",
    stripes: 4000,
    splitHash: "sha512",
  });
  expect(keyslots[0]!.kdf).toMatchObject({ type: "pbkdf2", hash: "sha512", iterations: 2000 });
  expect(keyslots[0]!.area).toEqual({
    offset: 32_768,
    size: 131_072,
    encryption: "aes-xts-plain64",
    keySize: 32,
  });
  expect(digests).toMatchObject([{ id: 0, keyslots: [0], segments: [0] }]);
  expect({ tokens, flags, keyslotsSize }).toEqual({ tokens: [], flags: [], keyslotsSize: 131_072 });
});

const integrity = { type: "hmac(sha256)", journal_encryption: "none", journal_integrity: "none" };

/** A device of two segments, of which the second is not encrypted. */
function twoSegments(segment: Record<string, unknown>): Metadata[string] {
  const start = Number(segment["offset"]);
  return {
    "0": { ...segment, size: "8192" },
    "1": { type: "linear", offset: String(start + 8192), size: "dynamic" },
  };
}

/** As a device looks in the middle of reencryption. */
function reencrypting(m: Metadata, requirement: string): void {
  m["config"]!["requirements"] = { mandatory: [requirement] };
  m["config"]!["keyslots_size"] = "262144" as never;
  const area = { type: "checksum", offset: "163840", size: "4096", hash: "sha256", sector_size: 512 };
  m["keyslots"]!["1"] = { type: "reencrypt", key_size: 1, mode: "reencrypt", direction: "forward", area };
  const segment = m["segments"]!["0"]!;
  m["segments"]!["1"] = { ...segment, flags: ["backup-previous"] };
  m["segments"]!["2"] = { ...segment, flags: ["backup-final"] };
  m["digests"]!["0"]!["segments"] = ["0", "1", "2"];
}

describe("refused as not known here, by name", () => {
  const cases: [name: string, change: (metadata: Metadata) => void][] = [
    ["offline-reencrypt", (m) => (m["config"]!["requirements"] = { mandatory: ["offline-reencrypt"] })],
    ["online-reencrypt-v2", (m) => reencrypting(m, "online-reencrypt-v2")],
    ["online-reencrypt-v9", (m) => reencrypting(m, "online-reencrypt-v9")],
    ["opal-v2", (m) => (m["config"]!["requirements"] = { mandatory: ["opal-v2"] })],
    ["inline-hw-tags", (m) => (m["config"]!["requirements"] = { mandatory: ["inline-hw-tags"] })],
    ["from-the-future", (m) => (m["config"]!["requirements"] = { mandatory: ["from-the-future"] })],
    ["dm-integrity", (m) => (m["segments"]!["0"]!["integrity"] = integrity)],
    ["linear", (m) => (m["segments"]!["0"]!["type"] = "linear")],
    ["reencryption", (m) => (m["segments"] = twoSegments(m["segments"]!["0"]!))],
    ["in-reencryption", (m) => (m["segments"]!["0"]!["flags"] = ["in-reencryption"])],
    ["scrypt", (m) => (m["keyslots"]!["0"]!["kdf"] = { type: "scrypt" })],
    ["hkdf", (m) => (m["digests"]!["0"]!["type"] = "hkdf")],
  ];
  test.each(cases)("%s", (name, change) => {
    const json = changed(change);
    const { code, message, place: where } = errorOf(json);
    expect({ code, source: where.source }).toEqual({ code: "CEV_UNKNOWN_FEATURE", source: "disk0.img" });
    expect(message).toContain(name);
    expect(json.slice(where.byteOffset! - 4096).startsWith(textAt(json, where.field!))).toBe(true);
  });
});

describe("refused as damaged, with the path of the field", () => {
  const slot = (m: Metadata): Record<string, Record<string, unknown>> =>
    m["keyslots"]!["0"] as Record<string, Record<string, unknown>>;
  const cases: [field: string, change: (metadata: Metadata) => void][] = [
    ["keyslots", (m) => delete m["keyslots"]],
    ["tokens", (m) => delete m["tokens"]],
    ["segments", (m) => ((m["segments"] = {}), (m["digests"]!["0"]!["segments"] = []))],
    ["digests.0.segments[0]", (m) => (m["segments"] = {})],
    ["digests.0.segments[0]", (m) => (m["segments"] = { "1": m["segments"]!["0"]! })],
    ["segments.0", (m) => (m["digests"]!["0"]!["segments"] = [])],
    ["segments.0.integrity.type", (m) => (m["segments"]!["0"]!["integrity"] = { ...integrity, type: "" })],
    ["keyslots", (m) => (reencrypting(m, "online-reencrypt-v2"), delete m["keyslots"]!["1"])],
    ["config", (m) => (reencrypting(m, "x"), delete m["config"]!["requirements"])],
    [
      "segments",
      (m) => (reencrypting(m, "online-reencrypt"), (m["segments"]!["2"]!["flags"] = ["backup-x"])),
    ],
    [
      "segments.0",
      (m) => (reencrypting(m, "online-reencrypt"), (m["segments"]!["0"]!["sector_size"] = 1024)),
    ],
    ["digests.0.keyslots[1]", (m) => (m["digests"]!["0"]!["keyslots"] = ["0", "7"])],
    ["digests.0.digest", (m) => (m["digests"]!["0"]!["digest"] = "AAAA")],
    ["digests.0.salt", (m) => (m["digests"]!["0"]!["salt"] = "not base64!")],
    ["digests.0.iterations", (m) => (m["digests"]!["0"]!["iterations"] = 0)],
    ["tokens.0.keyslots[0]", (m) => (m["tokens"]!["0"] = { type: "x", keyslots: ["1"] })],
    ["keyslots.x1", (m) => (m["keyslots"]!["x1"] = { ...slot(m) })],
    ["keyslots.32.area", (m) => (m["keyslots"]!["32"] = { ...slot(m) })],
    ["keyslots.0.af.type", (m) => (slot(m)["af"]!["type"] = "luks3")],
    ["keyslots.0.area.type", (m) => (slot(m)["area"]!["type"] = "cooked")],
    ["keyslots.0", (m) => (m["digests"]!["1"] = { ...m["digests"]!["0"]!, segments: [] })],
    ["keyslots.0", (m) => (m["digests"]!["0"]!["keyslots"] = [])],
    ["keyslots.0.key_size", (m) => (m["keyslots"]!["0"]!["key_size"] = 1e9)],
    ["keyslots.0.key_size", (m) => (m["keyslots"]!["0"]!["key_size"] = 32.5)],
    ["keyslots.0.af.stripes", (m) => (slot(m)["af"]!["stripes"] = 1_000_000)],
    ["keyslots.0.area", (m) => (slot(m)["area"]!["offset"] = "4096")],
    ["keyslots.0.area", (m) => (slot(m)["area"]!["size"] = "9000000")],
    ["keyslots.0.area.offset", (m) => (slot(m)["area"]!["offset"] = "-1")],
    ["keyslots.0.area", (m) => (slot(m)["area"]!["offset"] = "18446744073709551615")],
    ["keyslots.0.area.offset", (m) => (slot(m)["area"]!["offset"] = "18446744073709551616")],
    ["keyslots.0.area.offset", (m) => (slot(m)["area"]!["offset"] = 32_768)],
    ["keyslots.0.area.size", (m) => (slot(m)["area"]!["size"] = "4096")],
    ["keyslots.1.area", (m) => (m["keyslots"]!["1"] = { ...slot(m) })],
    ["keyslots.0.kdf.salt", (m) => (slot(m)["kdf"]!["salt"] = "A".repeat(8000))],
    ["keyslots.0.af.hash", (m) => (slot(m)["af"]!["hash"] = "sha256\u001b[2J")],
    ["keyslots.0.priority", (m) => (m["keyslots"]!["0"]!["priority"] = 3)],
    ["segments.0.sector_size", (m) => (m["segments"]!["0"]!["sector_size"] = 513)],
    ["config.keyslots_size", (m) => (m["segments"]!["0"]!["offset"] = "512")],
    ["segments.0.offset", (m) => (m["segments"]!["0"]!["offset"] = "1048577")],
    ["segments.0.size", (m) => (m["segments"]!["0"]!["size"] = "0")],
    ["segments.0.iv_tweak", (m) => (m["segments"]!["0"]!["iv_tweak"] = "9007199254740991")],
    ["config.json_size", (m) => (m["config"]!["json_size"] = "4096" as never)],
    ["config.keyslots_size", (m) => (m["config"]!["keyslots_size"] = "100" as never)],
  ];
  test.each(cases)("%s", (field, change) => {
    const json = changed(change);
    const { code, place: where } = errorOf(json);
    expect({ code, field: where.field }).toEqual({ code: "CEV_BAD_METADATA", field });
    expect(json.slice(where.byteOffset! - 4096).startsWith(textAt(json, field))).toBe(true);
  });

  test.each([
    ["text without an end", new Uint8Array(12_288).fill(0x20)],
    ["something behind the text", Uint8Array.from({ length: 12_288 }, (_, at) => (at === 9000 ? 1 : 0))],
    ["no text", new Uint8Array(12_288)],
    ["half a text", Buffer.concat([Buffer.from(golden.slice(0, 100)), Buffer.alloc(12_188)])],
    ["not UTF-8", Buffer.concat([Buffer.from([0x22, 0xff, 0x22]), Buffer.alloc(12_285)])],
    ["deep nesting", Buffer.concat([Buffer.from("[".repeat(12_000)), Buffer.alloc(288)])],
    ["an array", Buffer.concat([Buffer.from("[]"), Buffer.alloc(12_286)])],
  ])("%s", (_name, area) => {
    expect(() => decodeLuks2Metadata(decodeArea(area, place))).toThrow(
      expect.objectContaining({ code: "CEV_BAD_METADATA" }),
    );
  });
});

test("members that are not known stay out of the way", () => {
  expect(
    decodeChanged((m) => {
      m["something"] = { new: {} };
      m["keyslots"]!["0"]!["comment"] = "kept";
      m["config"]!["flags"] = ["allow-discards", "new-flag"] as never;
    })(),
  ).toMatchObject({ flags: ["allow-discards", "new-flag"] });
});

test("a keyslot of another type is left alone and opens nothing", () => {
  const change = (m: Metadata): void => void (m["keyslots"]!["0"]!["type"] = "vendor");
  expect(decodeChanged(change)()).toMatchObject({ keyslots: [], digests: [{ keyslots: [0] }] });
});

/** Every place in a JSON value, as paths. */
function pathsOf(value: unknown, path: readonly string[] = []): (readonly string[])[] {
  if (typeof value !== "object" || value === null) return [path];
  return [path, ...Object.entries(value).flatMap(([name, member]) => pathsOf(member, [...path, name]))];
}

test("whatever stands anywhere in it, metadata is decoded or refused, never more", () => {
  const paths = pathsOf(JSON.parse(golden)).filter(({ length }) => length > 0);
  const values = fc.oneof(
    fc.jsonValue(),
    fc.nat().map(String),
    fc.constantFrom("", "dynamic", "18446744073709551615", "__proto__", 2 ** 53, -1, null, [], {}),
  );
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.constantFrom(...paths), values), { minLength: 1, maxLength: 3 }),
      (edits) => {
        const metadata = JSON.parse(golden) as Record<string, unknown>;
        for (const [path, value] of edits) {
          let parent: unknown = metadata;
          for (const name of path.slice(0, -1))
            parent = (parent as Record<string, unknown> | undefined)?.[name];
          if (typeof parent === "object" && parent !== null)
            (parent as Record<string, unknown>)[path.at(-1)!] = structuredClone(value);
        }
        const json = JSON.stringify(metadata);
        if (json.length > 12_000) return;
        try {
          decode(json);
        } catch (error) {
          expect(["CEV_BAD_METADATA", "CEV_UNKNOWN_FEATURE"]).toContain((error as { code?: string }).code);
        }
      },
    ),
    { numRuns: 500 },
  );
});

test("whatever bit of the text is flipped, metadata is decoded or refused, never more", () => {
  const text = Buffer.from(golden, "utf8");
  for (let bit = 0; bit < text.length * 8; bit++) {
    const area = new Uint8Array(12_288);
    area.set(text);
    area[bit >> 3] = area[bit >> 3]! ^ (1 << (bit & 7));
    try {
      decodeLuks2Metadata(decodeArea(area, place));
    } catch (error) {
      expect(["CEV_BAD_METADATA", "CEV_UNKNOWN_FEATURE"]).toContain((error as { code?: string }).code);
    }
  }
});
