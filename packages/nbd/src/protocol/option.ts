import {
  EXPORT_NAME_ZEROES_LENGTH,
  GREETING_LENGTH,
  HandshakeFlag,
  INIT_MAGIC,
  InfoType,
  OPTION_HEADER_LENGTH,
  OPTION_MAGIC,
  OPTION_REPLY_HEADER_LENGTH,
  OPTION_REPLY_MAGIC,
  STRING_LENGTH_MAX,
} from "./numbers.ts";
import type { BlockSizes } from "../server/exports/export.ts";

/** What `info` and `go` ask: an export by name, and what is to be told of it. */
export interface InfoRequest {
  readonly name: string;
  readonly infoTypes: readonly number[];
}

/** The head of an option. */
export interface OptionHead {
  readonly option: number;
  readonly dataLength: number;
}

/** The first bytes of a connection. */
export function encodeGreeting(): Uint8Array {
  const { bytes, view } = message(GREETING_LENGTH);
  view.setUint32(0, INIT_MAGIC.high);
  view.setUint32(4, INIT_MAGIC.low);
  view.setUint32(8, OPTION_MAGIC.high);
  view.setUint32(12, OPTION_MAGIC.low);
  view.setUint16(16, HandshakeFlag.fixedNewstyle | HandshakeFlag.noZeroes);
  return bytes;
}

/** The head of the option at `at`, or null when that is none. Precondition: `OPTION_HEADER_LENGTH` bytes are there. */
export function decodeOptionHead(view: DataView, at: number): OptionHead | null {
  if (view.getUint32(at) !== OPTION_MAGIC.high || view.getUint32(at + 4) !== OPTION_MAGIC.low) return null;
  return { option: view.getUint32(at + 8), dataLength: view.getUint32(at + OPTION_HEADER_LENGTH - 4) };
}

/** An answer to an option. */
export function encodeOptionReply(
  option: number,
  reply: number,
  data: Uint8Array = new Uint8Array(0),
): Uint8Array {
  const { bytes, view } = message(OPTION_REPLY_HEADER_LENGTH + data.length);
  view.setUint32(0, OPTION_REPLY_MAGIC.high);
  view.setUint32(4, OPTION_REPLY_MAGIC.low);
  view.setUint32(8, option);
  view.setUint32(12, reply);
  view.setUint32(16, data.length);
  bytes.set(data, OPTION_REPLY_HEADER_LENGTH);
  return bytes;
}

/** The data of a `server` reply: one entry of a list. */
export function encodeServerData(name: Uint8Array, description: Uint8Array): Uint8Array {
  const { bytes, view } = message(4 + name.length + description.length);
  view.setUint32(0, name.length);
  bytes.set(name, 4);
  bytes.set(description, 4 + name.length);
  return bytes;
}

/** The data of an `info` reply about the export itself. */
export function encodeExportInfo(size: number, transmissionFlags: number): Uint8Array {
  const { bytes, view } = message(12);
  view.setUint16(0, InfoType.export);
  view.setBigUint64(2, BigInt(size));
  view.setUint16(10, transmissionFlags);
  return bytes;
}

/** The data of an `info` reply with a string: name or description. */
export function encodeTextInfo(type: number, text: Uint8Array): Uint8Array {
  const { bytes, view } = message(2 + text.length);
  view.setUint16(0, type);
  bytes.set(text, 2);
  return bytes;
}

/** The data of an `info` reply about size constraints. */
export function encodeBlockSizeInfo({ minimum, preferred, payloadMax }: BlockSizes): Uint8Array {
  const { bytes, view } = message(14);
  view.setUint16(0, InfoType.blockSize);
  view.setUint32(2, minimum);
  view.setUint32(6, preferred);
  view.setUint32(10, payloadMax);
  return bytes;
}

/** The answer to `exportName`, which ends the handshake. */
export function encodeExportNameReply(
  size: number,
  transmissionFlags: number,
  hasZeroes: boolean,
): Uint8Array {
  const { bytes, view } = message(10 + (hasZeroes ? EXPORT_NAME_ZEROES_LENGTH : 0));
  view.setBigUint64(0, BigInt(size));
  view.setUint16(8, transmissionFlags);
  return bytes;
}

/** What `info` or `go` asks, or null when its data is not well formed. */
export function decodeInfoRequest(data: Uint8Array): InfoRequest | null {
  if (data.length < 6) return null;
  const view = new DataView(data.buffer, data.byteOffset, data.length);
  const nameLength = view.getUint32(0);
  if (nameLength > data.length - 6) return null;
  const name = decodeString(data.subarray(4, 4 + nameLength));
  const typesAt = 6 + nameLength;
  const typeCount = view.getUint16(typesAt - 2);
  if (name === null || data.length !== typesAt + 2 * typeCount) return null;
  const infoTypes = Array.from({ length: typeCount }, (_, index) => view.getUint16(typesAt + 2 * index));
  return { name, infoTypes };
}

/** A string of the protocol, or null when it is too long, has a zero, or is not UTF-8. */
export function decodeString(bytes: Uint8Array): string | null {
  if (bytes.length > STRING_LENGTH_MAX || bytes.includes(0)) return null;
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}

function message(length: number): { bytes: Uint8Array; view: DataView } {
  const bytes = new Uint8Array(length);
  return { bytes, view: new DataView(bytes.buffer) };
}
