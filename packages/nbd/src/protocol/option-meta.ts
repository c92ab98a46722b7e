import { decodeString, encodeString } from "./strings.ts";

/** What `listMetaContext` and `setMetaContext` ask: contexts of an export, by name or pattern. */
export interface MetaRequest {
  /** Of the export. */
  readonly name: string;
  readonly queries: readonly string[];
}

/** What a `metaContext` reply tells. */
export interface MetaContextReply {
  /** Only that of a selected context means something. */
  readonly id: number;
  readonly name: string;
}

/** What is asked, or null when the data is not well formed. */
export function decodeMetaRequest(data: Uint8Array): MetaRequest | null {
  const view = new DataView(data.buffer, data.byteOffset, data.length);
  let at = 0;
  const next = (): string | null => {
    if (data.length - at < 4) return null;
    const length = view.getUint32(at);
    if (length > data.length - at - 4) return null;
    at += 4 + length;
    return decodeString(data.subarray(at - length, at));
  };
  const name = next();
  if (name === null || data.length - at < 4) return null;
  const count = view.getUint32(at);
  at += 4;
  const queries: string[] = [];
  while (queries.length < count) {
    const query = next();
    if (query === null) return null;
    queries.push(query);
  }
  return at === data.length ? { name, queries } : null;
}

/** The data of `listMetaContext` or `setMetaContext`. */
export function encodeMetaRequest({ name, queries }: MetaRequest): Uint8Array {
  const strings = [
    encodeString(name, "the name of an export"),
    ...queries.map((query) => encodeString(query, "the name of a context")),
  ];
  const bytes = new Uint8Array(4 + strings.reduce((sum, each) => sum + 4 + each.length, 0));
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const [index, each] of strings.entries()) {
    view.setUint32(at, each.length);
    bytes.set(each, at + 4);
    at += 4 + each.length;
    if (index > 0) continue;
    view.setUint32(at, queries.length);
    at += 4;
  }
  return bytes;
}

/** The data of a `metaContext` reply. */
export function encodeMetaContext(id: number, name: string): Uint8Array {
  const text = encodeString(name, "the name of a context");
  const bytes = new Uint8Array(4 + text.length);
  new DataView(bytes.buffer).setUint32(0, id);
  bytes.set(text, 4);
  return bytes;
}

/** What a `metaContext` reply tells, or null when its data is not well formed. */
export function decodeMetaContext(data: Uint8Array): MetaContextReply | null {
  if (data.length < 4) return null;
  const name = decodeString(data.subarray(4));
  if (name === null) return null;
  return { id: new DataView(data.buffer, data.byteOffset, data.length).getUint32(0), name };
}
