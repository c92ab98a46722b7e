import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { crc32 } from "node:zlib";
import { describe, expect, test } from "vitest";
import { readFormatTable } from "../src/format-table.ts";
import { GoldenCopy } from "../src/golden-copy.ts";

/** What is known about a field from elsewhere: a number, a text (ended by NUL or by the field's end), or bytes. */
type Known = number | bigint | string | Uint8Array;

interface Structure {
  readonly document: string;
  readonly heading: string;
  /** Which of the tables below the heading. */
  readonly table?: number;
  readonly golden: string;
  /** Where the structure begins in the first image. */
  readonly base: number;
  readonly isBigEndian?: boolean;
  readonly known: (image: Buffer, facts: Readonly<Record<string, string>>) => Readonly<Record<string, Known>>;
}

const hex = (text: string): Uint8Array => Buffer.from(text.replaceAll(/[^0-9a-f]/g, ""), "hex");
/** LVM2's checksum. */
const crcOf = (bytes: Uint8Array): number => ~crc32(bytes, ~0xf597a6cf >>> 0) >>> 0;

/** The first copy of a LUKS2 header with its own checksum left out. */
function luks2Checksum(image: Buffer): Uint8Array {
  const copy = Buffer.from(image.subarray(0, 16_384));
  copy.fill(0, 448, 512);
  return Buffer.concat([createHash("sha256").update(copy).digest(), Buffer.alloc(32)]);
}

const MDA = 4096;
/** Where the superblock of version 0.90 lies on images of 2.5 MiB. */
const OLD = 2.5 * 1024 * 1024 - 65_536;

/** md's checksum: the sum of all words but its own, with what passes 32 bits added once more. */
function sumOf(bytes: Buffer, checksumAt: number): bigint {
  let sum = 0n;
  for (let at = 0; at + 4 <= bytes.length; at += 4)
    if (at !== checksumAt) sum += BigInt(bytes.readUInt32LE(at));
  return (sum + (sum >> 32n)) & 0xffff_ffffn;
}

const STRUCTURES: readonly Structure[] = [
  {
    document: "md-superblock-1.md",
    heading: "Fields",
    golden: "stack",
    base: 4096,
    known: (_, facts) => ({
      magic: 0xa92b4efc,
      major_version: 1,
      feature_map: 1,
      set_uuid: hex(facts["array.uuid"]!),
      set_name: facts["array.name"]!,
      level: 5,
      layout: 2,
      size: 15 * 2048,
      chunksize: 128,
      raid_disks: 4,
      bitmap_offset: 8,
      data_offset: 2048,
      data_size: 15 * 2048,
      super_offset: 8,
      dev_number: 0,
      resync_offset: 2n ** 64n - 1n,
      max_dev: 128,
    }),
  },
  {
    document: "md-bitmap.md",
    heading: "md write-intent bitmap, version 4",
    golden: "raid5-bitmap",
    base: 8192,
    known: (image, facts) => ({
      magic: "bitm",
      version: 4,
      uuid: hex(facts["array.uuid"]!),
      // The bitmap's head is written before the superblock, and both say the same on an array that was shut down.
      events: image.readBigUInt64LE(4096 + 200),
      sync_size: image.readBigUInt64LE(4096 + 80),
      chunksize: 16_384,
      daemon_sleep: 5,
      nodes: 0,
    }),
  },
  {
    document: "md-superblock-1.md",
    heading: "Fields",
    golden: "raid-reshape-offset",
    base: 4096,
    known: (image) => ({
      feature_map: 0x44,
      level: 5,
      chunksize: 128,
      new_level: 5,
      delta_disks: 0,
      new_layout: 2,
      new_chunk: 256,
      // The data moves towards the begin.
      new_offset: 2n ** 32n + BigInt(image.readInt32LE(4096 + 124)),
      sb_csum: sumOf(image.subarray(4096, 4096 + 256 + 2 * image.readUInt32LE(4096 + 220)), 216),
    }),
  },
  {
    document: "md-superblock-0.md",
    heading: "Fields",
    golden: "raid-090",
    base: OLD,
    known: (image, facts) => ({
      md_magic: 0xa92b4efc,
      major_version: 0,
      minor_version: 90,
      set_uuid0: Number(`0x${facts["array.uuid"]!.slice(0, 8)}`),
      set_uuid3: Number(`0x${facts["array.uuid"]!.slice(-8)}`),
      level: 5,
      size: OLD / 1024,
      nr_disks: 3,
      raid_disks: 3,
      state: 257,
      active_disks: 3,
      working_disks: 3,
      failed_disks: 0,
      spare_disks: 0,
      sb_csum: sumOf(image.subarray(OLD, OLD + 4096), 152),
      // A clean array's position was written with its last event.
      cp_events: image.readBigUInt64LE(OLD + 156),
      recovery_cp: 0xffff_ffff,
      layout: 2,
      chunk_size: 65_536,
    }),
  },
  {
    document: "md-superblock-0.md",
    heading: "Descriptors",
    golden: "raid-090",
    base: OLD + 512 + 128,
    known: () => ({ number: 1, raid_disk: 1, state: 6 }),
  },
  {
    document: "md-bad-block-log.md",
    heading: "Entries",
    table: 1,
    golden: "raid-badblocks",
    base: 4096 + 16 * 512,
    known: (image) => {
      expect(image.readInt32LE(4096 + 188), "where the log lies").toBe(16);
      return { entry: 2056 * 1024 + 8 };
    },
  },
  {
    document: "luks2.md",
    heading: "LUKS2: binary header",
    golden: "luks-pbkdf2",
    base: 0,
    isBigEndian: true,
    known: (image, facts) => ({
      magic: hex("4c 55 4b 53 ba be"),
      version: 2,
      hdr_size: 16_384,
      label: "",
      csum_alg: "sha256",
      uuid: facts["luks.uuid"]!,
      subsystem: "",
      hdr_offset: 0,
      csum: luks2Checksum(image),
    }),
  },
  {
    document: "luks2.md",
    heading: "LUKS2: binary header",
    golden: "luks-4096",
    base: 16_384,
    isBigEndian: true,
    known: (_, facts) => ({
      magic: hex("53 4b 55 4c ba be"),
      version: 2,
      hdr_size: 16_384,
      csum_alg: "sha256",
      uuid: facts["luks.uuid"]!,
      hdr_offset: 16_384,
    }),
  },
  {
    document: "luks1.md",
    heading: "Header",
    golden: "luks1",
    base: 0,
    isBigEndian: true,
    known: (_, facts) => ({
      magic: hex("4c 55 4b 53 ba be"),
      version: 1,
      "cipher-name": "aes",
      "cipher-mode": "xts-plain64",
      "hash-spec": "sha256",
      "payload-offset": 4096,
      "key-bytes": 32,
      "mk-digest-iter": 1000,
      uuid: facts["luks.uuid"]!,
    }),
  },
  {
    document: "luks1.md",
    heading: "Keyslot",
    golden: "luks1",
    base: 208,
    isBigEndian: true,
    known: () => ({ active: 0x00ac71f3, iterations: 1000, "key-material-offset": 8, stripes: 4000 }),
  },
  {
    document: "lvm2.md",
    heading: "Label",
    golden: "lvm",
    base: 512,
    known: (image) => ({
      id: "LABELONE",
      sector: 1,
      crc: crcOf(image.subarray(512 + 20, 1024)),
      offset: 32,
      type: "LVM2 001",
    }),
  },
  {
    document: "lvm2.md",
    heading: "Physical volume header",
    golden: "lvm",
    base: 512 + 32,
    known: (image) => ({ device_size: image.length }),
  },
  {
    document: "lvm2.md",
    heading: "Metadata area",
    golden: "lvm",
    base: MDA,
    known: (image, facts) => ({
      checksum: crcOf(image.subarray(MDA + 4, MDA + 512)),
      magic: " LVM2 x[5A%r0N*>",
      version: 1,
      start: MDA,
      size: Number(facts["mda.size"]),
    }),
  },
  {
    document: "lvm2.md",
    heading: "Metadata area",
    table: 1,
    golden: "lvm",
    base: MDA + 40,
    known: (image, facts) => ({
      offset: Number(facts["mda.textOffset"]),
      size: Number(facts["mda.textSize"]),
      checksum: crcOf(ringText(image, facts)),
      flags: 0,
    }),
  },
];

/** The committed text, which passes the end of its ring. */
function ringText(image: Buffer, facts: Readonly<Record<string, string>>): Uint8Array {
  const [offset, length, size] = [facts["mda.textOffset"], facts["mda.textSize"], facts["mda.size"]].map(
    Number,
  );
  const behind = offset! + length! - size!;
  const first = image.subarray(MDA + offset!, MDA + size!);
  return Buffer.concat([first, image.subarray(MDA + 512, MDA + 512 + behind)]);
}

describe("the byte tables in docs/formats agree with what the kernel's tools wrote", () => {
  for (const { document, heading, table, golden: name, base, isBigEndian = false, known } of STRUCTURES) {
    const which = table === undefined ? "" : `, table ${table}`;
    test(`${document}, ${heading}${which}, against ${name} at ${base}`, () => {
      using golden = new GoldenCopy(name);
      const image = readFileSync(golden.images[0]!);
      const rows = readFormatTable(document, heading, table);
      for (const [index, row] of rows.entries()) {
        const next = rows[index + 1];
        if (next !== undefined) expect(next.offset, `behind ${row.name}`).toBe(row.offset + row.size);
      }
      for (const [field, value] of Object.entries(known(image, golden.manifest.facts))) {
        const row = rows.find((candidate) => candidate.name === field);
        expect(row, `a row for ${field}`).toBeDefined();
        const bytes = image.subarray(base + row!.offset, base + row!.offset + row!.size);
        expect(bytes.toString("hex"), field).toBe(encode(value, row!.size, isBigEndian).toString("hex"));
      }
      for (const { offset, size } of rows.filter((row) => row.meaning === "zero")) {
        const bytes = image.subarray(base + offset, base + offset + size);
        expect(
          bytes.every((byte) => byte === 0),
          `${size} bytes of zero at ${offset}`,
        ).toBe(true);
      }
    });
  }
});

/** A value as it lies in a field of so many bytes. */
function encode(value: Known, size: number, isBigEndian: boolean): Buffer {
  if (typeof value === "number" || typeof value === "bigint") {
    const bytes = Buffer.from(
      BigInt(value)
        .toString(16)
        .padStart(size * 2, "0"),
      "hex",
    );
    return isBigEndian ? bytes : bytes.reverse();
  }
  const bytes = Buffer.alloc(size);
  (typeof value === "string" ? Buffer.from(value, "latin1") : Buffer.from(value)).copy(bytes);
  return bytes;
}
