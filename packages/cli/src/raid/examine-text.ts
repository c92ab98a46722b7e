import { DeviceFlag, FeatureFlag, Role, ownRole } from "@cev/raid";
import type { Superblock } from "@cev/raid";
import {
  arraySizeOf,
  badBlockRoom,
  layoutText,
  levelText,
  placesText,
  roleText,
  unusedSectors,
} from "./examination.ts";
import type { Examination } from "./examination.ts";
import { bothUnits, clockText, fieldLine } from "./mdadm-words.ts";

const SECTOR = 512;
const STRIPED = new Set([0, 4, 5, 6, 10]);

/** The lines of `mdadm --examine` for one member. */
export function examineText(examination: Examination): string[] {
  const lines = examination.superblock.old === null ? newText(examination) : oldText(examination);
  return [`${examination.name}:`, ...lines];
}

function newText(examination: Examination): string[] {
  const { superblock, checksum } = examination;
  const { features, dataSizeSectors, sizeSectors, dataOffsetSectors, reshape } = superblock;
  const arraySize = arraySizeOf(superblock);
  const unused = unusedSectors(examination);
  const lines = [
    fieldLine("Magic", "a92b4efc"),
    fieldLine("Version", superblock.version),
    fieldLine("Feature Map", `0x${features.toString(16)}`),
    fieldLine("Array UUID", superblock.arrayUuid),
    fieldLine("Name", superblock.arrayName),
    fieldLine("Creation Time", clockText(superblock.createdAt.seconds)),
    fieldLine("Raid Level", levelText(superblock.level)),
    fieldLine("Raid Devices", superblock.memberCount),
    "",
    fieldLine("Avail Dev Size", sectorsText(dataSizeSectors)),
  ];
  if (arraySize !== null)
    lines.push(fieldLine("Array Size", `${arraySize / 1024} KiB${bothUnits(arraySize)}`));
  if (superblock.level !== 0 && sizeSectors !== dataSizeSectors)
    lines.push(fieldLine("Used Dev Size", sectorsText(sizeSectors)));
  if (dataOffsetSectors !== 0) lines.push(fieldLine("Data Offset", `${dataOffsetSectors} sectors`));
  if ((features & FeatureFlag.newOffset) !== 0 && reshape !== null)
    lines.push(fieldLine("New Offset", `${dataOffsetSectors + reshape.offsetSectors} sectors`));
  lines.push(fieldLine("Super Offset", `${superblock.superOffsetSectors} sectors`));
  if ((features & FeatureFlag.recovery) !== 0)
    lines.push(fieldLine("Recovery Offset", `${superblock.recoverySectors} sectors`));
  // mdadm says nothing where nothing is unused, and where it takes a single sector for "not known".
  if (unused !== null && unused.after !== 1 && (unused.before > 0 || unused.after > 0))
    lines.push(fieldLine("Unused Space", `before=${unused.before} sectors, after=${unused.after} sectors`));
  lines.push(fieldLine("State", superblock.resyncSectors === null ? "clean" : "active"));
  lines.push(fieldLine("Device UUID", superblock.deviceUuid), "");
  lines.push(...placeLines(superblock), ...reshapeLines(superblock));
  lines.push(fieldLine("Update Time", clockText(superblock.updatedAt.seconds)));
  const room = badBlockRoom(superblock);
  if (room > 0) {
    const present = (features & FeatureFlag.badBlocks) === 0 ? "" : " - bad blocks present.";
    const where = `${superblock.badBlockOffsetSectors} sectors`;
    lines.push(fieldLine("Bad Block Log", `${room} entries available at offset ${where}${present}`));
  }
  lines.push(
    fieldLine("Checksum", `${checksum.toString(16)} - correct`),
    fieldLine("Events", superblock.eventCount),
    "",
    ...shapeLines(superblock),
    "",
    fieldLine("Device Role", roleText(superblock), 14),
    fieldLine(
      "Array State",
      `${placesText(superblock)} ('A' == active, '.' == missing, 'R' == replacing)`,
      14,
    ),
  );
  return lines;
}

/** Where bitmap and partial parity log lie, and what the device's flags say. */
function placeLines({ bitmapOffsetSectors, partialParityLog, deviceFlags }: Superblock): string[] {
  const lines: string[] = [];
  if (bitmapOffsetSectors !== 0)
    lines.push(fieldLine("Internal Bitmap", `${bitmapOffsetSectors} sectors from superblock`));
  if (partialParityLog !== null) {
    const { sizeSectors, offsetSectors } = partialParityLog;
    lines.push(fieldLine("PPL", `${sizeSectors} sectors at offset ${offsetSectors} sectors from superblock`));
  }
  const flags = [
    (deviceFlags & DeviceFlag.writeMostly) === 0 ? [] : ["write-mostly"],
    (deviceFlags & DeviceFlag.failFast) === 0 ? [] : ["failfast"],
  ].flat();
  if (flags.length > 0) lines.push(fieldLine("Flags", flags.join(" ")));
  return lines;
}

function reshapeLines(superblock: Superblock): string[] {
  const { reshape, level, layout, chunkSectors, memberCount } = superblock;
  if (reshape === null) return [];
  const { positionSectors, memberDelta } = reshape;
  const bytes = positionSectors * SECTOR;
  const lines = [fieldLine("Reshape pos'n", `${positionSectors / 2}${bothUnits(bytes)}`)];
  if (memberDelta !== 0)
    lines.push(fieldLine("Delta Devices", `${memberDelta} (${memberCount - memberDelta}->${memberCount})`));
  if (reshape.level !== level) lines.push(fieldLine("New Level", levelText(reshape.level)));
  if (reshape.layout !== layout) {
    const after = layoutText({ ...superblock, level: reshape.level, layout: reshape.layout });
    lines.push(fieldLine("New Layout", after ?? reshape.layout));
  }
  if (reshape.chunkSectors !== chunkSectors)
    lines.push(fieldLine("New Chunksize", `${reshape.chunkSectors / 2}K`));
  return [...lines, ""];
}

function shapeLines(superblock: Superblock): string[] {
  const { level, chunkSectors, features } = superblock;
  const lines: string[] = [];
  const layout = layoutText(superblock);
  const isTold = level === 5 || level === 6 || level === 10 || (features & FeatureFlag.raid0Layout) !== 0;
  if (layout !== null && isTold) lines.push(fieldLine("Layout", layout));
  if (STRIPED.has(level)) lines.push(fieldLine("Chunk Size", `${chunkSectors / 2}K`));
  else if (level === -1) lines.push(fieldLine("Rounding", `${chunkSectors / 2}K`));
  return lines;
}

/** Version 0.90 knows every device by its number and node, and has no place for most of the rest. */
function oldText({ superblock, checksum }: Examination): string[] {
  const { sizeSectors, old, reshape } = superblock;
  const arraySize = arraySizeOf(superblock);
  const counts = deviceCounts(superblock);
  const lines = [
    fieldLine("Magic", "a92b4efc"),
    fieldLine("Version", `0.${reshape === null ? "90" : "91"}.00`),
    fieldLine("UUID", superblock.arrayUuid),
    fieldLine("Creation Time", clockText(superblock.createdAt.seconds)),
    fieldLine("Raid Level", levelText(superblock.level)),
    ...(superblock.level > 0
      ? [fieldLine("Used Dev Size", `${sizeSectors / 2}${bothUnits(sizeSectors * SECTOR)}`)]
      : []),
  ];
  if (arraySize !== null) lines.push(fieldLine("Array Size", `${arraySize / 1024}${bothUnits(arraySize)}`));
  lines.push(
    fieldLine("Raid Devices", superblock.memberCount),
    fieldLine("Total Devices", counts.total),
    fieldLine("Preferred Minor", old!.preferredMinor),
    "",
    ...reshapeLines(superblock),
    fieldLine("Update Time", clockText(superblock.updatedAt.seconds)),
    fieldLine("State", superblock.resyncSectors === null ? "clean" : "active"),
  );
  if (superblock.bitmapOffsetSectors !== 0) lines.push(fieldLine("Internal Bitmap", "present"));
  lines.push(
    fieldLine("Active Devices", counts.active),
    fieldLine("Working Devices", counts.active + counts.spare),
    fieldLine("Failed Devices", counts.failed),
    fieldLine("Spare Devices", counts.spare),
    fieldLine("Checksum", `${checksum.toString(16)} - correct`),
    fieldLine("Events", superblock.eventCount),
    "",
    ...shapeLines(superblock),
    "",
    "      Number   Major   Minor   RaidDevice State",
    oldDeviceLine("this", superblock.deviceNumber, superblock),
    "",
    ...old!.devices.map(({ number }) => oldDeviceLine(String(number), number, superblock)),
  );
  return lines;
}

function oldDeviceLine(head: string, number: number, { old, roles }: Superblock): string {
  const device = old!.devices.find((one) => one.number === number);
  const role = roles[number] ?? Role.spare;
  const place = role < Role.special ? role : number;
  const state = role < Role.special ? "active sync" : role === Role.faulty ? "faulty" : "spare";
  const numbers = [number, device?.major ?? 0, device?.minor ?? 0].map(String);
  return `${head.padStart(4)}${numbers[0]!.padStart(6)}${numbers[1]!.padStart(8)}${numbers[2]!.padStart(9)}${String(place).padStart(9)}      ${state}`;
}

/** How many devices an array has of each kind, as one member knows them. */
function deviceCounts({ roles, old }: Superblock): {
  readonly active: number;
  readonly spare: number;
  readonly failed: number;
  readonly total: number;
} {
  const present = old === null ? roles.map((role) => role) : old.devices.map(({ number }) => roles[number]!);
  const active = present.filter((role) => role < Role.special).length;
  const spare = present.filter((role) => role === Role.spare).length;
  const failed = old === null ? 0 : present.filter((role) => role === Role.faulty).length;
  return { active, spare, failed, total: active + spare + failed };
}

/** The variables of `mdadm --examine --export`. */
export function exportText({ superblock }: Examination): string[] {
  const arraySize = arraySizeOf(superblock);
  const isOld = superblock.old !== null;
  const lines = [
    ["MD_LEVEL", levelText(superblock.level)],
    ["MD_DEVICES", `${superblock.memberCount}`],
    ...(isOld || superblock.arrayName === "" ? [] : [["MD_NAME", superblock.arrayName]]),
    ...(arraySize === null || isOld ? [] : [["MD_ARRAY_SIZE", briefSize(arraySize)]]),
    ["MD_UUID", superblock.arrayUuid],
    ["MD_UPDATE_TIME", `${superblock.updatedAt.seconds}`],
    ...(isOld ? [] : [["MD_DEV_UUID", superblock.deviceUuid]]),
    ["MD_EVENTS", `${superblock.eventCount}`],
  ];
  return lines.map(([name, value]) => `${name!}=${value!}`);
}

/** The lines of `mdadm --examine --brief`, as mdadm.conf takes them: one array after the other. */
export function briefText(examinations: readonly Examination[]): string[] {
  const arrays = Map.groupBy(examinations, ({ superblock }) => superblock.arrayUuid);
  return [...arrays.values()].flatMap((members) => {
    const spareCount = members.filter(({ superblock }) => !isInPlace(superblock)).length;
    return [briefLine(members[0]!.superblock), ...(spareCount === 0 ? [] : [`   spares=${spareCount}`])];
  });
}

function briefLine({ version, arrayUuid, arrayName, old }: Superblock): string {
  if (old !== null) return `ARRAY /dev/md${old.preferredMinor} UUID=${arrayUuid}`;
  if (arrayName === "") return `ARRAY  metadata=${version} UUID=${arrayUuid}`;
  const node = `/dev/md/${arrayName.slice(arrayName.indexOf(":") + 1)}`;
  return `ARRAY ${node}  metadata=${version} UUID=${arrayUuid} name=${arrayName}`;
}

/** It fills a place by itself: not a spare, a journal, or one that is to replace another. */
function isInPlace(superblock: Superblock): boolean {
  return ownRole(superblock) < Role.special && (superblock.features & FeatureFlag.replacement) === 0;
}

/** "39.85MB", as mdadm shortens it; "" for small ones. */
function briefSize(bytes: number): string {
  return / (?<decimal>[\d.]+) (?<unit>\w+)\)$/.exec(bothUnits(bytes))?.slice(1).join("") ?? "";
}

function sectorsText(sectors: number): string {
  return `${sectors} sectors${bothUnits(sectors * SECTOR)}`;
}
