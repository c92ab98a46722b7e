/// <reference path="./untyped-libraries.d.ts" />
import gpt from "gpt";
import mbr from "mbr";

// Both libraries are written without types, so what is used of them is typed here.

/** One entry of an MBR, in sectors of 512 bytes. */
interface MbrEntry {
  readonly status: number;
  readonly type: number;
  readonly firstLBA: number;
  readonly sectors: number;
  readonly extended: boolean;
}

interface MbrLibrary {
  readonly Partition: { parse(buffer: Buffer, start: number, end: number): MbrEntry };
}

/** The header of a GPT; addresses are in blocks of the disk. */
interface GptHeader {
  readonly revision: number;
  readonly headerSize: number;
  readonly headerChecksum: number;
  readonly currentLBA: bigint;
  readonly backupLBA: bigint;
  readonly firstLBA: bigint;
  readonly lastLBA: bigint;
  readonly guid: string;
  readonly tableOffset: bigint;
  readonly entries: number;
  readonly entrySize: number;
  readonly tableChecksum: number;
  parseHeader(buffer: Buffer, offset: number): GptHeader;
}

interface GptEntry {
  readonly type: string;
  readonly guid: string;
  readonly name: string;
  readonly firstLBA: bigint;
  readonly lastLBA: bigint;
  isEmpty(): boolean;
}

interface GptLibrary {
  new (options: { readonly blockSize: number }): GptHeader;
  readonly PartitionEntry: { parse(buffer: Buffer, offset: number): GptEntry };
}

const Mbr = mbr as MbrLibrary;
const Gpt = gpt as GptLibrary;

/** Decodes the 16 bytes of an MBR entry. */
export function decodeMbrEntry(bytes: Uint8Array, offset: number): MbrEntry {
  return Mbr.Partition.parse(asBuffer(bytes), offset, offset + 16);
}

/** Decodes the fields of a GPT header, which begins with the first byte. */
export function decodeGptHeader(bytes: Uint8Array, blockSize: number): GptHeader {
  return new Gpt({ blockSize }).parseHeader(asBuffer(bytes), 0);
}

/** Decodes one entry of a GPT. */
export function decodeGptEntry(bytes: Uint8Array, offset: number): GptEntry {
  return Gpt.PartitionEntry.parse(asBuffer(bytes), offset);
}

export type { GptEntry, GptHeader, MbrEntry };

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
