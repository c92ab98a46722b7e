import { createHash } from "node:crypto";
import { MetadataError, isCevError } from "@cev/core";
import type { CevError } from "@cev/core";
import { BINARY_LENGTH, checkHeaderChecksum, decodeLuks2Header, luksMagicOf } from "./header.ts";
import type { Luks2Header } from "./header.ts";
import { JsonField } from "./json-field.ts";
import { parseJsonText } from "./json-text.ts";
import { validateMetadata } from "./validate.ts";

/** What headers are read from: a `Device`, or a layer. */
export interface HeaderSource {
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  read(offset: number, length: number): Promise<Uint8Array>;
}

/** What a valid header copy says. */
export interface HeaderContent {
  readonly header: Luks2Header;
  /** The JSON area, which was validated. */
  readonly root: JsonField;
}

/** One of the two header copies: what it says, or why it cannot be used. */
export interface HeaderCopy {
  readonly byteOffset: number;
  readonly content: HeaderContent | null;
  readonly error: CevError | null;
  /** The same for two copies that say the same. */
  readonly fingerprint: string | null;
  /** The same for two copies whose digests, with their random salts, are of the same keys: then both are of one device. */
  readonly keysFingerprint: string | null;
}

// What is read at once, so that nothing large is in memory but the one buffer.
const PIECE_LENGTH = 256 * 1024;
const SMALL_LENGTH = 1024 * 1024;

/**
 * Reads header copies one after the other. Those of up to 1 MiB get memory of their own; larger ones share one buffer of 4 MiB, so what
 * the last of them says is good until the next is read: a header that is not trusted cannot ask for more.
 */
export class CopyReader {
  readonly #source: HeaderSource;
  #shared: Uint8Array | null = null;
  #sharedBy: number | null = null;

  constructor(source: HeaderSource) {
    this.#source = source;
  }

  /** Null: nothing there looks like a header copy. */
  async read(byteOffset: number): Promise<HeaderCopy | null> {
    if (byteOffset + BINARY_LENGTH > this.#source.size) return null;
    const place = { source: this.#source.name, byteOffset };
    try {
      const binary = await this.#source.read(byteOffset, BINARY_LENGTH);
      if (luksMagicOf(binary) !== (byteOffset === 0 ? "luks" : "luks2-secondary")) return null;
      const header = decodeLuks2Header(binary, place);
      if (byteOffset + header.headerSize > this.#source.size) throw truncated(place);
      const bytes = await this.#readWhole(byteOffset, header.headerSize);
      // Only what was proved is looked at: all of it is decoded anew from the bytes that the checksum is over.
      const content = decodeCopy(bytes, place);
      const keysFingerprint = keysFingerprintOf(content);
      return { byteOffset, content, error: null, fingerprint: fingerprintOf(content), keysFingerprint };
    } catch (error) {
      if (!isDamage(error)) throw error;
      return { byteOffset, content: null, error, fingerprint: null, keysFingerprint: null };
    }
  }

  /** What a copy that was read and is valid says, still or again. */
  async contentOf(copy: HeaderCopy): Promise<HeaderContent> {
    const { content, byteOffset } = copy;
    const isGood = content!.header.headerSize <= SMALL_LENGTH || this.#sharedBy === byteOffset;
    if (isGood) return content!;
    const again = await this.read(byteOffset);
    if (again !== null && again.error !== null) throw again.error;
    if (again !== null && again.content !== null && again.fingerprint === copy.fingerprint)
      return again.content;
    throw new MetadataError("the header changed while it was read", {
      source: this.#source.name,
      structure: "LUKS2 header",
      byteOffset,
    });
  }

  async #readWhole(byteOffset: number, length: number): Promise<Uint8Array> {
    const bytes = length <= SMALL_LENGTH ? new Uint8Array(length) : this.#takeShared(byteOffset, length);
    for (let at = 0; at < length; at += PIECE_LENGTH) {
      const piece = Math.min(PIECE_LENGTH, length - at);
      bytes.set(await this.#source.read(byteOffset + at, piece), at);
    }
    return bytes;
  }

  #takeShared(byteOffset: number, length: number): Uint8Array {
    if (this.#shared === null || this.#shared.length < length) this.#shared = new Uint8Array(length);
    this.#sharedBy = byteOffset;
    return this.#shared.subarray(0, length);
  }
}

function decodeCopy(
  bytes: Uint8Array,
  at: { readonly source: string; readonly byteOffset: number },
): HeaderContent {
  const header = decodeLuks2Header(bytes, at);
  checkHeaderChecksum(header, bytes, at);
  const place = {
    source: at.source,
    structure: "LUKS2 JSON area",
    byteOffset: at.byteOffset + BINARY_LENGTH,
  };
  return { header, root: decodeArea(bytes.subarray(BINARY_LENGTH), place) };
}

/**
 * Decodes and validates the JSON area of one header copy: one object, and nothing but zeroes behind it. Throws `CEV_BAD_METADATA` with
 * the path of the field and its byte.
 */
export function decodeArea(
  bytes: Uint8Array,
  place: { readonly source: string; readonly structure: string; readonly byteOffset: number },
): JsonField {
  const bad = (at: number, message: string): MetadataError =>
    new MetadataError(message, { ...place, field: "JSON text", byteOffset: place.byteOffset + at });
  if (bytes[0] !== 0x7b) throw bad(0, "the JSON text does not begin with {");
  const node = parseJsonText(bytes, place);
  if (node.end === bytes.length) throw bad(node.end, "the JSON text has no end");
  const next = bytes.subarray(node.end).findIndex((byte) => byte !== 0);
  if (next >= 0) throw bad(node.end + next, "behind the JSON text there is something else");
  const root = new JsonField(node, { bytes, place });
  validateMetadata(root, bytes.length);
  return root;
}

function fingerprintOf({ header, root }: HeaderContent): string {
  const { uuid, label, subsystem, sequenceId } = header;
  const names = JSON.stringify([uuid, label, subsystem, String(sequenceId)]);
  return createHash("sha256").update(names).update(root.source()).digest("hex");
}

/** Null: there are no digests, which says nothing of what the device is. */
function keysFingerprintOf({ root }: HeaderContent): string | null {
  const digests = root.member("digests");
  if (digests.members().length === 0) return null;
  return createHash("sha256").update(digests.source()).digest("hex");
}

function truncated(place: { readonly source: string; readonly byteOffset: number }): MetadataError {
  return new MetadataError("the device ends within the header", {
    ...place,
    structure: "LUKS2 header",
    field: "hdr_size",
    byteOffset: place.byteOffset + 8,
  });
}

/** True for what makes one copy useless and leaves the other a chance. */
export function isDamage(error: unknown): error is CevError {
  if (!isCevError(error)) return false;
  return error.code === "CEV_BAD_METADATA" || error.code === "CEV_UNKNOWN_FEATURE" || isUnreadable(error);
}

/** True for an error of the device below. */
export function isUnreadable(error: CevError | null | undefined): boolean {
  return error?.code === "CEV_MEDIUM" || error?.code === "CEV_IO";
}
