import type { Json } from "@cev/core";
import type { CreatePlan, PlannedDevice } from "@cev/raid";
import { layoutText, levelText } from "./examination.ts";
import { bothUnits, fieldLine } from "./mdadm-words.ts";

const SECTOR = 512;
const WIDTH = 18;

/** What was made, or would be. `paths`: as they were named. */
export function createText(plan: CreatePlan, paths: readonly string[], isDryRun: boolean): string[] {
  const { superblock } = plan.devices[0]!;
  const line = (name: string, value: string | number): string => fieldLine(name, value, WIDTH);
  const layout = layoutText(superblock);
  const lines = [
    `${isDryRun ? "would make" : "made"} md/${plan.arrayName === "" ? plan.arrayUuid : plan.arrayName}:`,
    line("Version", superblock.version),
    line("Raid Level", levelText(superblock.level)),
    line("Array Size", sizeText(plan.arraySize)),
    ...(plan.memberSize === 0 ? [] : [line("Used Dev Size", sizeText(plan.memberSize))]),
    line("Raid Devices", plan.geometry.memberCount),
    ...(layout === null ? [] : [line("Layout", layout)]),
    ...(plan.geometry.chunkSize === 0 ? [] : [line("Chunk Size", `${plan.geometry.chunkSize / 1024}K`)]),
    ...(plan.bitmapChunkSize === null
      ? []
      : [line("Intent Bitmap", `Internal, ${plan.bitmapChunkSize / 1024}K`)]),
    line("UUID", plan.arrayUuid),
    "",
    ...plan.devices.map((device) => deviceText(device, isDryRun)),
  ];
  if (!isDryRun) lines.push("", nextStep(superblock.resyncSectors === null, superblock.level, paths));
  return lines;
}

/** The same for programs. */
export function createJson(plan: CreatePlan): { readonly [key: string]: Json } {
  const { superblock } = plan.devices[0]!;
  return {
    array: {
      uuid: plan.arrayUuid,
      name: plan.arrayName,
      metadata: superblock.version,
      level: levelText(superblock.level),
      layout: layoutText(superblock),
      chunkSize: plan.geometry.chunkSize,
      size: plan.arraySize,
      usedSize: plan.memberSize === 0 ? null : plan.memberSize,
      memberCount: plan.geometry.memberCount,
      bitmapChunkSize: plan.bitmapChunkSize,
      isClean: superblock.resyncSectors === null,
    },
    devices: plan.devices.map(({ name, index, superblock: own, header, bitmap }): Json => ({
      device: name,
      role: index ?? "spare",
      dataOffset: own.dataOffsetSectors * SECTOR,
      writes: [...(bitmap === null ? [] : [bitmap]), header].map(({ offset, bytes }): Json => ({
        offset,
        length: bytes.length,
      })),
    })),
  };
}

function deviceText({ name, index, superblock, header, bitmap }: PlannedDevice, isDryRun: boolean): string {
  const role = index === null ? "spare" : `active device ${index}`;
  if (!isDryRun) return `  ${name}: ${role}`;
  const places = [
    `superblock at byte ${header.offset} (${header.bytes.length} bytes)`,
    ...(bitmap === null ? [] : [`bitmap at byte ${bitmap.offset} (${bitmap.bytes.length} bytes)`]),
    `data from byte ${superblock.dataOffsetSectors * SECTOR} on`,
  ];
  return `  ${name}: ${role}, ${places.join(", ")}`;
}

function nextStep(isClean: boolean, level: number, paths: readonly string[]): string {
  const command = `cev raid assemble ${paths.join(" ")}`;
  if (isClean || level <= 0) return `next: ${command} --socket PATH serves it; so does cev serve`;
  return `next: ${command} makes the redundancy right; until then a member that is lost takes data with it`;
}

const sizeText = (bytes: number): string => `${bytes / 1024}${bothUnits(bytes)}`;
