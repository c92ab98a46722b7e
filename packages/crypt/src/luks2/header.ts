import { isUtf8 } from "node:buffer";
import { createHash, getHashes } from "node:crypto";
import { MetadataError, assert } from "@cev/core";

/** Bytes of the binary header; the JSON area follows it. */
export const BINARY_LENGTH = 4096;
/** What one header copy may take, binary header and JSON area together: the sizes the format knows. */
export const HEADER_SIZES: readonly number[] = [16, 32, 64, 128, 256, 512, 1024, 2048, 4096].map(
  (kibibytes) => kibibytes * 1024,
);
/** No update can follow the one of this number. */
export const SEQUENCE_MAX: bigint = 2n ** 64n - 1n;

const PRIMARY_MAGIC = "4c554b53babe";
const SECONDARY_MAGIC = "534b554cbabe";
const CHECKSUM_OFFSET = 448;
const CHECKSUM_LENGTH = 64;

/** The binary header of LUKS2: the first 512 bytes of each copy (LUKS2 On-Disk Format Specification, chapter 2.1). */
export interface Luks2Header {
  readonly isPrimary: boolean;
  /** Bytes of this copy with its JSON area. */
  readonly headerSize: number;
  /** Grows with every update: of two valid copies the larger one counts. */
  readonly sequenceId: bigint;
  readonly label: string;
  readonly checksumAlgorithm: string;
  readonly salt: Uint8Array;
  readonly uuid: string;
  readonly subsystem: string;
  /** Where this copy lies on the device. */
  readonly headerOffset: number;
  readonly checksum: Uint8Array;
}

/** Where a header copy was read from, for errors. */
export interface HeaderPlace {
  readonly source: string;
  readonly byteOffset: number;
}

/** What the first six bytes say: a LUKS header of either version, the second copy of a LUKS2 header, or nothing of ours. */
export function luksMagicOf(bytes: Uint8Array): "luks" | "luks2-secondary" | null {
  const magic = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(6, bytes.length)).toString("hex");
  if (magic === PRIMARY_MAGIC) return "luks";
  return magic === SECONDARY_MAGIC ? "luks2-secondary" : null;
}

/** The version field behind the magic. Precondition: `luksMagicOf(bytes)` is not null. */
export function luksVersionOf(bytes: Uint8Array): number {
  return bytes.length < 8 ? 0 : bytes[6]! * 256 + bytes[7]!;
}

/**
 * Decodes the binary header at the start of `bytes` (at least 512), whose checksum `checkHeaderChecksum` compares.
 * Throws `CEV_BAD_METADATA` with field and byte offset; another version is `CEV_UNKNOWN_FEATURE`.
 */
export function decodeLuks2Header(bytes: Uint8Array, place: HeaderPlace): Luks2Header {
  const bad = (field: string, at: number, message: string): MetadataError =>
    new MetadataError(message, { ...structureOf(place), field, byteOffset: place.byteOffset + at });
  const magic = luksMagicOf(bytes);
  if (magic === null || bytes.length < 512) throw bad("magic", 0, "there is no LUKS header here");
  const version = luksVersionOf(bytes);
  if (version !== 2) {
    throw new MetadataError(
      `version ${version} of the header is not known`,
      { ...structureOf(place), field: "version", byteOffset: place.byteOffset + 6 },
      "CEV_UNKNOWN_FEATURE",
    );
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const headerSize = Number(view.getBigUint64(8));
  if (!HEADER_SIZES.includes(headerSize))
    throw bad("hdr_size", 8, `a header of ${headerSize} bytes is not known`);
  const headerOffset = Number(view.getBigUint64(256));
  if (headerOffset !== place.byteOffset)
    throw bad("hdr_offset", 256, `the header says that it lies at byte ${headerOffset}`);
  const isPrimary = magic === "luks";
  if (isPrimary !== (headerOffset === 0) || (!isPrimary && headerOffset !== headerSize))
    throw bad("hdr_offset", 256, `a ${isPrimary ? "first" : "second"} copy cannot lie there`);
  const text = (field: string, at: number, length: number): string => {
    const field_ = bytes.subarray(at, at + length);
    const end = field_.indexOf(0);
    if (end < 0) throw bad(field, at, "the text has no end");
    return decodeText(field_.subarray(0, end));
  };
  const uuid = text("uuid", 168, 40);
  if (!isUuid(uuid)) throw bad("uuid", 168, "is no UUID");
  return {
    isPrimary,
    headerSize,
    sequenceId: view.getBigUint64(16),
    label: text("label", 24, 48),
    checksumAlgorithm: text("csum_alg", 72, 32),
    salt: Uint8Array.from(bytes.subarray(104, 168)),
    uuid,
    subsystem: text("subsystem", 208, 48),
    headerOffset,
    checksum: Uint8Array.from(bytes.subarray(CHECKSUM_OFFSET, CHECKSUM_OFFSET + CHECKSUM_LENGTH)),
  };
}

/** True for letters, digits and dashes: a UUID becomes part of a name, so nothing else is let through. */
export function isUuid(text: string): boolean {
  return /^[0-9A-Za-z-]+$/.test(text);
}

/** Throws `CEV_BAD_METADATA` unless the checksum over the whole copy (binary header and JSON area) holds. */
export function checkHeaderChecksum(header: Luks2Header, copy: Uint8Array, place: HeaderPlace): void {
  const { checksumAlgorithm: algorithm } = header;
  // SHAKE has no length of its own, without which there is no checksum.
  if (!getHashes().includes(algorithm) || algorithm.startsWith("shake")) {
    throw new MetadataError(
      `checksums of the kind ${JSON.stringify(algorithm)} are not known`,
      { ...structureOf(place), field: "csum_alg", byteOffset: place.byteOffset + 72 },
      "CEV_UNKNOWN_FEATURE",
    );
  }
  const expected = checksumOf(algorithm, copy);
  if (expected.length > CHECKSUM_LENGTH || expected.compare(header.checksum, 0, expected.length) !== 0) {
    throw new MetadataError(`the ${algorithm} checksum does not match`, {
      ...structureOf(place),
      field: "csum",
      byteOffset: place.byteOffset + CHECKSUM_OFFSET,
    });
  }
}

/** Encodes one whole copy, `header.headerSize` bytes, with its JSON text and its checksum; `header.checksum` is not looked at. */
export function encodeLuks2Header(header: Luks2Header, json: string): Uint8Array {
  const copy = Buffer.alloc(header.headerSize);
  const text = Buffer.from(json, "utf8");
  assert(HEADER_SIZES.includes(header.headerSize), "the header size is one of the format's");
  assert(text.length < header.headerSize - BINARY_LENGTH, "the JSON text and its NUL fit the JSON area");
  copy.write(header.isPrimary ? PRIMARY_MAGIC : SECONDARY_MAGIC, 0, "hex");
  copy.writeUInt16BE(2, 6);
  copy.writeBigUInt64BE(BigInt(header.headerSize), 8);
  copy.writeBigUInt64BE(header.sequenceId, 16);
  writeText(copy, 24, 48, header.label);
  writeText(copy, 72, 32, header.checksumAlgorithm);
  copy.set(header.salt.subarray(0, 64), 104);
  writeText(copy, 168, 40, header.uuid);
  writeText(copy, 208, 48, header.subsystem);
  copy.writeBigUInt64BE(BigInt(header.headerOffset), 256);
  copy.set(text, BINARY_LENGTH);
  copy.set(checksumOf(header.checksumAlgorithm, copy), CHECKSUM_OFFSET);
  return copy;
}

/**
 * A text that is not UTF-8 has for each byte from 0x80 on the lone surrogate U+DC00 and that byte, which no other text has: so a label that
 * another program wrote stays as it is when the header is written again.
 */
function decodeText(bytes: Uint8Array): string {
  if (isUtf8(bytes)) return Buffer.from(bytes).toString("utf8");
  return Array.from(bytes, (byte) => String.fromCodePoint(byte < 0x80 ? byte : 0xdc00 + byte)).join("");
}

function encodeText(text: string): Uint8Array {
  if (!/[\u{dc80}-\u{dcff}]/u.test(text)) return Buffer.from(text, "utf8");
  return Uint8Array.from(text, (character) => character.codePointAt(0)! & 0xff);
}

function writeText(copy: Buffer, at: number, length: number, text: string): void {
  const bytes = encodeText(text);
  assert(bytes.length < length, `${JSON.stringify(text)} fits ${length - 1} bytes`);
  copy.set(bytes, at);
}

function checksumOf(algorithm: string, copy: Uint8Array): Buffer {
  return createHash(algorithm)
    .update(copy.subarray(0, CHECKSUM_OFFSET))
    .update(new Uint8Array(CHECKSUM_LENGTH))
    .update(copy.subarray(CHECKSUM_OFFSET + CHECKSUM_LENGTH))
    .digest();
}

function structureOf(place: HeaderPlace): { readonly source: string; readonly structure: string } {
  return { source: place.source, structure: "LUKS2 header" };
}
