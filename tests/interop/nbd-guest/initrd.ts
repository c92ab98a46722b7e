import { Buffer } from "node:buffer";

export interface InitrdFile {
  readonly name: string;
  readonly mode: number;
  readonly bytes?: Uint8Array;
}

export const DIRECTORY = 0o040755;
export const PROGRAM = 0o100755;

/** An archive that a Linux kernel takes for its first file system: the "newc" format of cpio, header fields as hexadecimal digits. */
export function encodeInitrd(files: readonly InitrdFile[]): Buffer {
  const entries = [...files, { name: "TRAILER!!!", mode: 0 }].map((file, index) => entry(file, index + 1));
  return Buffer.concat(entries);
}

function entry({ name, mode, bytes = new Uint8Array(0) }: InitrdFile, inode: number): Buffer {
  // Inode, mode, user, group, links, time, length, four numbers of devices, length of the name, checksum.
  const fields = [inode, mode, 0, 0, 1, 0, bytes.length, 0, 0, 0, 0, name.length + 1, 0];
  const head = `070701${fields.map((field) => field.toString(16).padStart(8, "0")).join("")}${name}\0`;
  return Buffer.concat([padded(Buffer.from(head, "latin1")), padded(bytes)]);
}

function padded(bytes: Uint8Array): Buffer {
  return Buffer.concat([bytes, Buffer.alloc(-bytes.length & 3)]);
}
