import { readFileSync } from "node:fs";
import { brotliDecompressSync } from "node:zlib";

type Json = Record<string, Record<string, Record<string, unknown>>>;

const JSON_OFFSET = 4096;

/** An image made by cryptsetup with pbkdf2, header copies of 16 KiB. */
export function baseImage(): Buffer {
  const file = new URL("../golden/luks-pbkdf2/disk0.img.br", import.meta.url);
  return brotliDecompressSync(readFileSync(file));
}

/** Texts of valid metadata of many kinds, that fit that image. None with OPAL: only later versions of cryptsetup check that. */
export function baseTexts(): readonly string[] {
  const area = baseImage().subarray(JSON_OFFSET);
  const text = area.subarray(0, area.indexOf(0)).toString("utf8");
  const changed = (change: (json: Json) => void): string => {
    const json = JSON.parse(text) as Json;
    change(json);
    return JSON.stringify(json);
  };
  return [text, changed(withTokens), changed(withIntegrity), changed(inReencryption), changed(withSegments)];
}

/** Room for small areas behind the keyslot's own. */
function widen(json: Json): void {
  json["config"]!["keyslots_size"] = "262144" as never;
}

function withTokens(json: Json): void {
  widen(json);
  json["tokens"] = {
    "0": { type: "luks2-keyring", keyslots: ["0"], key_description: "cev:key" },
    "3": { type: "vendor", keyslots: [], deep: [{ a: [[{}]] }] },
  };
  const area = { type: "vendor", offset: "163840", size: "4096" };
  json["keyslots"]!["5"] = { type: "vendor", key_size: 3, area };
  json["digests"]!["4"] = { type: "vendor", keyslots: ["5"], segments: [] };
  json["config"]!["flags"] = ["allow-discards", "new-flag"] as never;
}

function withIntegrity(json: Json): void {
  const integrity = { type: "hmac(sha256)", journal_encryption: "none", journal_integrity: "none" };
  json["segments"]!["0"]!["integrity"] = integrity;
  json["segments"]!["0"]!["sector_size"] = 4096;
  json["config"]!["requirements"] = { mandatory: ["inline-hw-tags"], optional: 1 };
}

function inReencryption(json: Json): void {
  widen(json);
  json["config"]!["requirements"] = { mandatory: ["online-reencrypt-v2"] };
  const area = { type: "checksum", offset: "163840", size: "4096", hash: "sha256", sector_size: 512 };
  json["keyslots"]!["1"] = { type: "reencrypt", key_size: 1, mode: "reencrypt", direction: "forward", area };
  const segment = json["segments"]!["0"]!;
  json["segments"]!["1"] = { ...segment, flags: ["backup-previous"] };
  json["segments"]!["2"] = { ...segment, flags: ["backup-final"] };
  json["digests"]!["0"]!["segments"] = ["0", "1", "2"];
}

function withSegments(json: Json): void {
  const segment = json["segments"]!["0"]!;
  json["segments"] = {
    "0": { ...segment, size: "8192" },
    "1": { type: "linear", offset: "1056768", size: "8192", flags: ["x"] },
    "2": { type: "vendor", offset: "2097152", size: "dynamic" },
  };
}
