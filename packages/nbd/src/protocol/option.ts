import {
  OPTION_HEADER_LENGTH,
  OPTION_MAGIC,
  OPTION_REPLY_HEADER_LENGTH,
  OPTION_REPLY_MAGIC,
} from "./numbers.ts";

const NO_DATA = new Uint8Array(0);

/** The head of an option. */
export interface OptionHead {
  readonly option: number;
  readonly dataLength: number;
}

/** The head of an answer to an option. */
export interface OptionReplyHead {
  readonly option: number;
  readonly reply: number;
  readonly dataLength: number;
}

/** An entry of a list. The bytes are what the server sent: no promise that they are UTF-8. */
export interface ServerData {
  readonly name: Uint8Array;
  readonly description: Uint8Array;
}

/** An option with its data. */
export function encodeOption(option: number, data: Uint8Array = NO_DATA): Uint8Array {
  const bytes = new Uint8Array(OPTION_HEADER_LENGTH + data.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, OPTION_MAGIC.high);
  view.setUint32(4, OPTION_MAGIC.low);
  view.setUint32(8, option);
  view.setUint32(12, data.length);
  bytes.set(data, OPTION_HEADER_LENGTH);
  return bytes;
}

/** The head of the option at `at`, or null when that is none. Precondition: `OPTION_HEADER_LENGTH` bytes are there. */
export function decodeOptionHead(view: DataView, at: number): OptionHead | null {
  if (view.getUint32(at) !== OPTION_MAGIC.high || view.getUint32(at + 4) !== OPTION_MAGIC.low) return null;
  return { option: view.getUint32(at + 8), dataLength: view.getUint32(at + 12) };
}

/** An answer to an option. */
export function encodeOptionReply(option: number, reply: number, data: Uint8Array = NO_DATA): Uint8Array {
  const bytes = new Uint8Array(OPTION_REPLY_HEADER_LENGTH + data.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, OPTION_REPLY_MAGIC.high);
  view.setUint32(4, OPTION_REPLY_MAGIC.low);
  view.setUint32(8, option);
  view.setUint32(12, reply);
  view.setUint32(16, data.length);
  bytes.set(data, OPTION_REPLY_HEADER_LENGTH);
  return bytes;
}

/** The head of the answer at `at`, or null when that is none. Precondition: `OPTION_REPLY_HEADER_LENGTH` bytes are there. */
export function decodeOptionReplyHead(view: DataView, at: number): OptionReplyHead | null {
  const isReply =
    view.getUint32(at) === OPTION_REPLY_MAGIC.high && view.getUint32(at + 4) === OPTION_REPLY_MAGIC.low;
  if (!isReply) return null;
  return {
    option: view.getUint32(at + 8),
    reply: view.getUint32(at + 12),
    dataLength: view.getUint32(at + 16),
  };
}

/** The data of a `server` reply: one entry of a list. */
export function encodeServerData(name: Uint8Array, description: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(4 + name.length + description.length);
  new DataView(bytes.buffer).setUint32(0, name.length);
  bytes.set(name, 4);
  bytes.set(description, 4 + name.length);
  return bytes;
}

/** What a `server` reply says, or null when its data is not well formed. */
export function decodeServerData(data: Uint8Array): ServerData | null {
  if (data.length < 4) return null;
  const nameLength = new DataView(data.buffer, data.byteOffset, data.length).getUint32(0);
  if (nameLength > data.length - 4) return null;
  return { name: data.subarray(4, 4 + nameLength), description: data.subarray(4 + nameLength) };
}
