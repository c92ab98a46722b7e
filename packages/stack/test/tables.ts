import { crc32 } from "node:zlib";

const SECTOR = 512;

/** One entry of an MBR, in sectors. */
export interface MbrPart {
  readonly type: number;
  readonly first: number;
  readonly count: number;
  readonly status?: number;
}

/** Writes a boot record with up to four entries into a disk. */
export function writeMbr(disk: Uint8Array, parts: readonly MbrPart[], sector = 0): void {
  const view = new DataView(disk.buffer, disk.byteOffset + sector * SECTOR, SECTOR);
  for (const [index, { type, first, count, status = 0 }] of parts.entries()) {
    const at = 446 + index * 16;
    view.setUint8(at, status);
    view.setUint8(at + 4, type);
    view.setUint32(at + 8, first, true);
    view.setUint32(at + 12, count, true);
  }
  view.setUint16(510, 0xaa55, true);
}

/** One entry of a GPT, in blocks; `last` belongs to it. */
export interface GptPart {
  readonly first: number;
  readonly last: number;
  readonly label?: string;
}

/** Writes a protective MBR and both copies of a GPT into a disk. */
export function writeGpt(disk: Uint8Array, parts: readonly GptPart[], blockSize: number = SECTOR): void {
  const blocks = disk.length / blockSize;
  const tableBlocks = 16_384 / blockSize;
  writeMbr(disk, [{ type: 0xee, first: 1, count: blocks - 1 }]);
  const table = new Uint8Array(16_384);
  const view = new DataView(table.buffer);
  for (const [index, { first, last, label = "" }] of parts.entries()) {
    const at = index * 128;
    table.fill(0x11 + index, at, at + 32);
    view.setBigUint64(at + 32, BigInt(first), true);
    view.setBigUint64(at + 40, BigInt(last), true);
    table.set(Buffer.from(label, "utf16le"), at + 56);
  }
  const copies = [
    { own: 1, other: blocks - 1, at: 2 },
    { own: blocks - 1, other: 1, at: blocks - 1 - tableBlocks },
  ];
  for (const { own, other, at } of copies) {
    disk.set(table, at * blockSize);
    const header = new Uint8Array(92);
    const fields = new DataView(header.buffer);
    header.set(Buffer.from("EFI PART", "latin1"));
    fields.setUint32(8, 0x0001_0000, true);
    fields.setUint32(12, header.length, true);
    fields.setBigUint64(24, BigInt(own), true);
    fields.setBigUint64(32, BigInt(other), true);
    fields.setBigUint64(40, BigInt(2 + tableBlocks), true);
    fields.setBigUint64(48, BigInt(blocks - 2 - tableBlocks), true);
    header.fill(0xab, 56, 72);
    fields.setBigUint64(72, BigInt(at), true);
    fields.setUint32(80, 128, true);
    fields.setUint32(84, 128, true);
    fields.setUint32(88, crc32(table), true);
    fields.setUint32(16, crc32(header), true);
    disk.set(header, own * blockSize);
  }
}
