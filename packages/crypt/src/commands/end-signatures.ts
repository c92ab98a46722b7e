import type { HeaderDevice } from "../header/header-device.ts";

/** Bytes by which others know a device as theirs, near its end. */
interface EndSignature {
  readonly format: string;
  readonly offset: number;
  readonly length: number;
}

interface Kind {
  readonly format: string;
  /** Any of these, in hexadecimal. */
  readonly magics: readonly string[];
  /** Where it may lie on a device of this many bytes. */
  readonly offsets: (size: number) => readonly number[];
}

const KIB = 1024;
const down = (value: number, unit: number): number => Math.floor(value / unit) * unit;
/** Begin of the last but `count` blocks. */
const block = (size: number, unit: number, count: number): number => down(size, unit) - count * unit;
const hexOf = (text: string): string => Buffer.from(text, "latin1").toString("hex");

/**
 * What Linux tells a device by that does not lie before its first 4 MiB. Places: md's as in docs/formats; the UEFI specification, 5.3;
 * SNIA's Common RAID Disk Data Format, 2.0; Intel's as mdadm keeps it; the ZFS on-disk specification, 1.3.
 */
const KINDS: readonly Kind[] = [
  {
    format: "the second copy of a partition table",
    magics: [hexOf("EFI PART")],
    offsets: (size) => [block(size, 512, 1), block(size, 4096, 1)],
  },
  {
    format: "an md superblock 0.90",
    magics: ["fc4e2ba9", "a92b4efc"],
    offsets: (size) => [block(size, 64 * KIB, 1)],
  },
  {
    format: "an md superblock 1.0",
    magics: ["fc4e2ba9"],
    offsets: (size) => [down(size - 16 * 512, 4096)],
  },
  {
    format: "a DDF anchor",
    magics: ["de11de11"],
    offsets: (size) => [block(size, 512, 1), block(size, 512, 257)],
  },
  {
    format: "an Intel RAID superblock",
    magics: [hexOf("Intel Raid ISM Cfg Sig. ")],
    offsets: (size) => [block(size, 512, 2), block(size, 4096, 2)],
  },
  {
    format: "an uberblock of ZFS",
    magics: ["0cb1ba0000000000", "0000000000bab10c"],
    // Two labels of 256 KiB, in the latter half of each 128 uberblocks.
    offsets: (size) =>
      [2, 1].flatMap((count) =>
        Array.from({ length: 128 }, (_, index) => block(size, 256 * KIB, count) + 128 * KIB + index * KIB),
      ),
  },
];
const TAIL_LENGTH = 1024 * KIB;

/** The signatures at or behind byte `from`. Reads the last MiB. */
export async function findEndSignatures(device: HeaderDevice, from: number): Promise<EndSignature[]> {
  const start = Math.max(from, device.size - TAIL_LENGTH);
  if (start >= device.size) return [];
  const tail = Buffer.from(await device.read(start, device.size - start));
  const found = new Map<number, EndSignature>();
  for (const { format, magics, offsets } of KINDS) {
    for (const offset of offsets(device.size)) {
      if (offset < start) continue;
      const isHere = (magic: string): boolean =>
        tail.toString("hex", offset - start, offset - start + magic.length / 2) === magic;
      const magic = magics.find(isHere);
      if (magic !== undefined) found.set(offset, { format, offset, length: magic.length / 2 });
    }
  }
  return [...found.values()];
}

/** Overwrites them with zeroes, and nothing else: the rest may still be of use to whoever did not mean it. */
export async function wipeEndSignatures(
  device: HeaderDevice,
  signatures: readonly EndSignature[],
): Promise<void> {
  for (const { offset, length } of signatures) await device.writeDurably(offset, new Uint8Array(length));
}
