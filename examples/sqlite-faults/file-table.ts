/** A file of the little file system: all of it lies in one area of the device. */
export interface DiskFile {
  readonly name: string;
  readonly area: number;
  size: number;
}

/** The table of files is one sector: it is written whole or not at all. */
export const TABLE_LENGTH = 512;
export const AREA_COUNT = 8;
const ENTRY_LENGTH = 56;
const NAME_MAX = ENTRY_LENGTH - 8;

/** Bytes 0–3 the size, 4 the area plus one (0: no file), 8 on the name, ended by a zero. */
export function encodeTable(files: Iterable<DiskFile>): Uint8Array {
  const bytes = new Uint8Array(TABLE_LENGTH);
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const { name, area, size } of files) {
    const text = new TextEncoder().encode(name);
    if (text.length >= NAME_MAX) throw new Error(`${name} is too long for a name`);
    view.setUint32(at, size, true);
    view.setUint8(at + 4, area + 1);
    bytes.set(text, at + 8);
    at += ENTRY_LENGTH;
  }
  return bytes;
}

export function decodeTable(bytes: Uint8Array): DiskFile[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const files: DiskFile[] = [];
  for (let at = 0; at + ENTRY_LENGTH <= TABLE_LENGTH; at += ENTRY_LENGTH) {
    const area = view.getUint8(at + 4) - 1;
    if (area < 0) continue;
    const text = bytes.subarray(at + 8, at + ENTRY_LENGTH);
    const name = new TextDecoder().decode(text.subarray(0, text.indexOf(0)));
    files.push({ name, area, size: view.getUint32(at, true) });
  }
  return files;
}
