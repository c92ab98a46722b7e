import { bitmapOf, superblockOf } from "./open-array.ts";
import { failureOf } from "../matrix/failure-of.ts";
import { Role, ownRole } from "@cev/raid";
import type { Superblock } from "@cev/raid";

const SECTOR = 512;

/** What `mdadm --examine` prints of one member: its lines "NAME : VALUE". */
export type Examined = ReadonlyMap<string, string>;

/** Cuts what `mdadm --examine` prints of several members into one piece for each, in their order. */
export function parseExamine(text: string): readonly Examined[] {
  return text
    .split(/^\/dev\/\S+:$/m)
    .slice(1)
    .map(linesOf);
}

/** The same for what `mdadm --examine-bitmap` prints. */
export function parseExamineBitmap(text: string): readonly Examined[] {
  return text
    .split(/^ *Filename : .*$/m)
    .slice(1)
    .map(linesOf);
}

function linesOf(text: string): Examined {
  const lines = text.split("\n").map((line) => /^ *([A-Za-z0-9 ]+?) : (.*?) *$/.exec(line));
  return new Map(lines.filter((line) => line !== null).map(([, name, value]) => [name!, value!]));
}

/** A field of which mdadm and cev say different things. */
export interface Disagreement {
  readonly field: string;
  readonly mdadm: string;
  readonly cev: string;
}

/** Compares what mdadm and cev read from the same member; only what differs. */
export function disagreements(examined: Examined, superblock: Superblock): readonly Disagreement[] {
  const found: Disagreement[] = [];
  const expect = (field: string, cev: string): void => {
    const mdadm = examined.get(field) ?? "(nothing)";
    if (mdadm !== cev) found.push({ field, mdadm, cev });
  };
  const startsWith = (field: string, cev: string): void => {
    const mdadm = examined.get(field) ?? "(nothing)";
    if (!mdadm.startsWith(cev)) found.push({ field, mdadm, cev });
  };
  const { version, level, memberCount, chunkSectors, layout } = superblock;
  const isOld = (version as string) === "0.90";
  startsWith("Version", version);
  startsWith(isOld ? "UUID" : "Array UUID", superblock.arrayUuid);
  expect("Raid Level", level === -1 ? "linear" : `raid${level}`);
  expect("Raid Devices", `${memberCount}`);
  expect("State", superblock.resyncSectors === null ? "clean" : "active");
  if (!(examined.get("Checksum") ?? "").endsWith(" - correct"))
    found.push({ field: "Checksum", mdadm: examined.get("Checksum") ?? "(nothing)", cev: "correct" });
  expect("Events", `${superblock.eventCount}`);
  if (level === 5 || level === 6 || level === 10) expect("Layout", layoutName(level, layout));
  if (level !== 1 && level !== -1) expect("Chunk Size", `${chunkSectors / 2}K`);
  if (isOld) return found;
  startsWith("Name", superblock.arrayName);
  startsWith("Avail Dev Size", `${superblock.dataSizeSectors} sectors`);
  if (examined.has("Used Dev Size") && level > 0)
    startsWith("Used Dev Size", `${superblock.sizeSectors} sectors`);
  if (version !== "1.0") expect("Data Offset", `${superblock.dataOffsetSectors} sectors`);
  expect("Super Offset", `${superblock.superOffsetSectors} sectors`);
  expect("Device UUID", superblock.deviceUuid);
  if (superblock.bitmapOffsetSectors !== 0)
    expect("Internal Bitmap", `${superblock.bitmapOffsetSectors} sectors from superblock`);
  else if (examined.has("Internal Bitmap"))
    found.push({ field: "Internal Bitmap", mdadm: examined.get("Internal Bitmap")!, cev: "none" });
  expect("Feature Map", `0x${superblock.features.toString(16)}`);
  const role = ownRole(superblock);
  expect("Device Role", role < Role.special ? `Active device ${role}` : "spare");
  startsWith("Array State", arrayState(superblock));
  return found;
}

const RAID5_NAMES = [
  "left-asymmetric",
  "right-asymmetric",
  "left-symmetric",
  "right-symmetric",
  "parity-first",
  "parity-last",
];
const RAID6_NAMES: { readonly [layout: number]: string } = {
  8: "ddf-zero-restart",
  9: "ddf-N-restart",
  10: "ddf-N-continue",
  16: "left-asymmetric-6",
  17: "right-asymmetric-6",
  18: "left-symmetric-6",
  19: "right-symmetric-6",
  20: "parity-first-6",
};

function layoutName(level: number, layout: number): string {
  if (level === 5) return RAID5_NAMES[layout] ?? "?";
  if (level === 6) return RAID5_NAMES[layout] ?? RAID6_NAMES[layout] ?? "?";
  const near = layout & 0xff;
  const far = (layout >> 8) & 0xff;
  return far === 1 ? `near=${near}` : (layout & 0x1_0000) !== 0 ? `offset=${far}` : `far=${far}`;
}

/** "A.A": a letter for each member, as mdadm prints it. */
function arrayState({ roles, memberCount }: Superblock): string {
  const letters = Array.from({ length: memberCount }, (_, index) => {
    const count = roles.filter((role) => role === index).length;
    return count === 0 ? "." : count === 1 ? "A" : "R";
  });
  return `${letters.join("")} `;
}

/** What is wrong with what mdadm says of members, or what cev says otherwise; one line each. */
export async function examineFailures(text: string, images: readonly Uint8Array[]): Promise<string[]> {
  const examined = parseExamine(text);
  if (examined.length !== images.length)
    return [`mdadm --examine describes ${examined.length} of ${images.length} members`];
  const failures: string[] = [];
  for (const [index, bytes] of images.entries()) {
    try {
      const superblock = await superblockOf(bytes, `member ${index}`);
      for (const { field, mdadm, cev } of disagreements(examined[index]!, superblock))
        failures.push(`member ${index}: ${field} is ${mdadm} for mdadm, ${cev} for cev`);
    } catch (error) {
      failures.push(failureOf(error));
    }
  }
  return failures;
}

/** What mdadm says of the members' bitmaps, and cev otherwise; one line each. */
export async function examineBitmapFailures(text: string, images: readonly Uint8Array[]): Promise<string[]> {
  const examined = parseExamineBitmap(text);
  if (examined.length !== images.length)
    return [`mdadm --examine-bitmap describes ${examined.length} of ${images.length} members`];
  const failures: string[] = [];
  for (const [index, bytes] of images.entries()) {
    const bitmap = await bitmapOf(bytes, `member ${index}`);
    if (bitmap === null) {
      failures.push(`member ${index}: cev finds no bitmap`);
      continue;
    }
    const { head, bits } = bitmap;
    const bitCount = Math.ceil((head.syncSectors * SECTOR) / head.chunkSize);
    const dirtyCount = Array.from(
      { length: bitCount },
      (_, bit) => (bits[bit >> 3]! >> (bit & 7)) & 1,
    ).reduce((sum, bit) => sum + bit, 0);
    const expected = {
      Events: `${head.eventCount}`,
      "Events Cleared": `${head.clearedEventCount}`,
      Chunksize: chunkText(head.chunkSize),
      Bitmap: `${bitCount} bits (chunks), ${dirtyCount} dirty`,
    };
    for (const [field, cev] of Object.entries(expected)) {
      const mdadm = examined[index]!.get(field) ?? "(nothing)";
      if (!mdadm.startsWith(cev))
        failures.push(`member ${index}: the bitmap's ${field} is ${mdadm} for mdadm, ${cev} for cev`);
    }
  }
  return failures;
}

function chunkText(size: number): string {
  return size < 1024 * 1024 ? `${size / 1024} KB` : `${size / 1024 / 1024} MB`;
}
