import { InfoType } from "./numbers.ts";
import { decodeString } from "./strings.ts";
import { encodeWide, wideAt } from "./wide.ts";

/** Size constraints, as told to clients. All in bytes. */
export interface BlockSizes {
  readonly minimum: number;
  readonly preferred: number;
  readonly payloadMax: number;
}

/** What `info` and `go` ask: an export by name, and what is to be told of it. */
export interface InfoRequest {
  readonly name: string;
  readonly infoTypes: readonly number[];
}

/** What one `info` reply tells. Texts are the bytes that came: no promise that they are UTF-8. */
export type Info =
  | { readonly kind: "export"; readonly size: number; readonly flags: number }
  | { readonly kind: "name"; readonly text: Uint8Array }
  | { readonly kind: "description"; readonly text: Uint8Array }
  | { readonly kind: "blockSize"; readonly sizes: BlockSizes }
  | { readonly kind: "unknown"; readonly type: number };

const EXPORT_INFO_LENGTH = 12;
const BLOCK_SIZE_INFO_LENGTH = 14;

/** The data of `info` or `go`. */
export function encodeInfoRequest(name: Uint8Array, infoTypes: readonly number[]): Uint8Array {
  const { bytes, view } = message(6 + name.length + 2 * infoTypes.length);
  view.setUint32(0, name.length);
  bytes.set(name, 4);
  view.setUint16(4 + name.length, infoTypes.length);
  for (const [index, type] of infoTypes.entries()) view.setUint16(6 + name.length + 2 * index, type);
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

/** The data of an `info` reply about the export itself. */
export function encodeExportInfo(size: number, transmissionFlags: number): Uint8Array {
  const { bytes, view } = message(EXPORT_INFO_LENGTH);
  view.setUint16(0, InfoType.export);
  encodeWide(view, 2, size);
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
  const { bytes, view } = message(BLOCK_SIZE_INFO_LENGTH);
  view.setUint16(0, InfoType.blockSize);
  view.setUint32(2, minimum);
  view.setUint32(6, preferred);
  view.setUint32(10, payloadMax);
  return bytes;
}

/** What an `info` reply tells, or null when its data is not well formed. */
export function decodeInfo(data: Uint8Array): Info | null {
  if (data.length < 2) return null;
  const view = new DataView(data.buffer, data.byteOffset, data.length);
  const type = view.getUint16(0);
  switch (type) {
    case InfoType.export:
      if (data.length !== EXPORT_INFO_LENGTH) return null;
      return { kind: "export", size: wideAt(view, 2), flags: view.getUint16(10) };
    case InfoType.name:
      return { kind: "name", text: data.subarray(2) };
    case InfoType.description:
      return { kind: "description", text: data.subarray(2) };
    case InfoType.blockSize:
      if (data.length !== BLOCK_SIZE_INFO_LENGTH) return null;
      return {
        kind: "blockSize",
        sizes: {
          minimum: view.getUint32(2),
          preferred: view.getUint32(6),
          payloadMax: view.getUint32(10),
        },
      };
    default:
      return { kind: "unknown", type };
  }
}

function message(length: number): { bytes: Uint8Array; view: DataView } {
  const bytes = new Uint8Array(length);
  return { bytes, view: new DataView(bytes.buffer) };
}
