import { createHash } from "node:crypto";
import { closeSync, openSync, readSync, writeSync } from "node:fs";
import { crc32 } from "node:zlib";

/** Flips one bit of a file. */
export function flipBit(path: string, offset: number, bit = 0): void {
  edit(path, offset, 1, (bytes) => {
    bytes[0]! ^= 1 << bit;
  });
}

/** Changes some bytes of a file in place. */
export function edit(path: string, offset: number, length: number, change: (bytes: Buffer) => void): void {
  const bytes = Buffer.alloc(length);
  const file = openSync(path, "r+");
  try {
    readSync(file, bytes, 0, length, offset);
    change(bytes);
    writeSync(file, bytes, 0, length, offset);
  } finally {
    closeSync(file);
  }
}

/** Changes an md superblock 1.2, at 4,096, and makes its checksum fit. */
export function editSuperblock(path: string, change: (bytes: Buffer) => void): void {
  edit(path, 4096, 4096, (bytes) => {
    change(bytes);
    const length = Math.min(256 + 2 * bytes.readUInt32LE(220), bytes.length);
    bytes.writeUInt32LE(0, 216);
    let sum = 0n;
    for (let at = 0; at + 4 <= length; at += 4) sum += BigInt(bytes.readUInt32LE(at));
    if (length % 4 !== 0) sum += BigInt(bytes.readUInt16LE(length - 2));
    bytes.writeUInt32LE(Number(((sum & 0xffffffffn) + (sum >> 32n)) & 0xffffffffn), 216);
  });
}

/** Changes the JSON text in both copies of a LUKS2 header, and makes their checksums fit. */
export function editLuksJson(path: string, change: (json: string) => string): void {
  let size = 16_384;
  for (const copy of [0, 1]) {
    edit(path, copy * size, size, (bytes) => {
      size = Number(bytes.readBigUInt64BE(8));
      const text = bytes.subarray(4096);
      const changed = Buffer.from(change(text.toString("utf8", 0, text.indexOf(0))));
      text.fill(0);
      changed.copy(text);
      bytes.fill(0, 448, 512);
      createHash("sha256").update(bytes).digest().copy(bytes, 448);
    });
  }
}

/** Changes the text in an LVM2 metadata area at 4,096, where it does not wrap, and makes both checksums fit. */
export function editLvmText(path: string, start: number, change: (text: string) => string): void {
  edit(path, start + 4096, 65_536, (bytes) => {
    const offset = Number(bytes.readBigUInt64LE(40));
    const length = Number(bytes.readBigUInt64LE(48));
    const before = bytes.toString("utf8", offset, offset + length);
    const after = change(before);
    if (after.length !== before.length) throw new Error("the text has to keep its length");
    bytes.write(after, offset, "utf8");
    bytes.writeUInt32LE(lvmCrc(bytes.subarray(offset, offset + length)), 56);
    bytes.writeUInt32LE(lvmCrc(bytes.subarray(4, 512)), 0);
  });
}

/** LVM2's checksum: CRC-32 with a start value of its own, and not inverted. */
function lvmCrc(bytes: Uint8Array): number {
  return ~crc32(bytes, ~0xf597a6cf >>> 0) >>> 0;
}
