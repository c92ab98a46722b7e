import { CevError, formatError } from "@cev/core";
import type { AreaScan, DiskArea, MetadataCopy, PvScan, TextLocation } from "@cev/lvm";
import { closing } from "../closing.ts";
import { ExitStatus } from "../exit-status.ts";
import { complainOf, say } from "../output.ts";
import type { KeyOptions } from "../sources.ts";
import { sourcesOf } from "./arguments.ts";
import { deviceNamed } from "./device-names.ts";
import { findVolumes } from "./find-groups.ts";
import type { FoundDevice } from "./find-groups.ts";

export interface PvCkOptions extends KeyOptions {
  readonly devices?: readonly string[];
  readonly dump?: "headers" | "metadata" | "metadata_area";
  readonly json?: boolean;
}

const SECTOR = 512;
// From the start of the label.
const PV_AREAS = 40;
const AREA_LENGTH = 16;
const LOCATIONS = 40;
const LOCATION_LENGTH = 24;
const MAGIC = "0x204c564d3220785b35412572304e2a3e";

/** `cev lvm pvck`: what stands on a physical volume, as it is; without `--dump` whether it is sound. Writes nothing. */
export async function pvCk(words: readonly string[], options: PvCkOptions): Promise<ExitStatus> {
  const found = await findVolumes(sourcesOf(options.devices, words), options);
  return await closing(found.stack, async () => {
    const chosen =
      options.devices === undefined ? found.devices : words.map((word) => deviceNamed(found, word));
    if (chosen.length === 0)
      throw new CevError("CEV_NOT_FOUND", "there is no physical volume on these devices", {
        hint: found.deviceProblems[0]?.message ?? "cev inspect shows what is there",
      });
    const errors = chosen.flatMap(({ scan }) => errorsOf(scan));
    const problems = [
      ...found.deviceProblems,
      ...errors.map((error) => ({
        severity: "error" as const,
        code: error.code,
        message: formatError(error),
      })),
    ];
    if (options.json === true) {
      say(JSON.stringify({ pv: chosen.map(factsOf), problems }, null, 2));
    } else {
      for (const device of chosen) {
        if (chosen.length > 1 && options.dump !== undefined) say(`  # ${device.name}`);
        for (const line of await linesOf(device, options.dump)) say(line);
      }
      complainOf(problems);
    }
    return problems.length > 0 ? ExitStatus.failed : ExitStatus.done;
  });
}

const errorsOf = ({ labelErrors, areas }: PvScan): PvScan["labelErrors"] => [
  ...labelErrors,
  ...areas.flatMap(({ error }) => (error === null ? [] : [error])),
];

async function linesOf(device: FoundDevice, dump: PvCkOptions["dump"]): Promise<string[]> {
  switch (dump) {
    case "headers":
      return headerLines(device);
    case "metadata": {
      const copy = newest(device.scan);
      return copy === null ? [] : [...textLines(copy.area), "  ---", copy.copy.identity.text];
    }
    case "metadata_area":
      return areaLines(device);
    default:
      return summaryLines(device);
  }
}

function newest({ areas }: PvScan): { readonly area: AreaScan; readonly copy: MetadataCopy } | null {
  let best: { readonly area: AreaScan; readonly copy: MetadataCopy } | null = null;
  for (const area of areas)
    if (area.copy !== null && (best === null || area.copy.identity.seqno > best.copy.identity.seqno))
      best = { area, copy: area.copy };
  return best;
}

function summaryLines({ name, scan }: FoundDevice): string[] {
  return [
    `  ${name}: label in sector ${scan.label.sector}, UUID ${scan.label.uuid}`,
    ...scan.areas.map(({ index, area, copy, isIgnored, error }) => {
      const state =
        error !== null
          ? "damaged"
          : isIgnored
            ? "not in use"
            : copy === null
              ? "no group"
              : `group ${copy.identity.name}, sequence number ${copy.identity.seqno}`;
      return `  ${name}: metadata area ${index} at ${area.offset}, ${area.size} bytes: ${state}`;
    }),
  ];
}

/** The label, the headers and where the texts lie, field by field with its byte. */
async function headerLines(device: FoundDevice): Promise<string[]> {
  const { label, areas } = device.scan;
  const at = label.sector * SECTOR;
  const sector = await device.device.read(at, SECTOR);
  const view = new DataView(sector.buffer, sector.byteOffset, SECTOR);
  const start = view.getUint32(20, true);
  const lines = [
    `  label_header at ${at}`,
    "  label_header.id LABELONE",
    `  label_header.sector ${label.sector}`,
    `  label_header.crc ${hex(view.getUint32(16, true))}`,
    `  label_header.offset ${start}`,
    "  label_header.type LVM2 001",
    `  pv_header at ${at + start}`,
    `  pv_header.pv_uuid ${label.uuid}`,
    `  pv_header.device_size ${label.deviceSize}`,
  ];
  let index = 0;
  let place = at + start + PV_AREAS;
  const list = (name: string, what: string, some: readonly DiskArea[]): void => {
    for (const area of [...some, null]) {
      const { offset, size } = area ?? { offset: 0, size: 0 };
      const comment = area === null ? "location list end" : `location of ${what}`;
      lines.push(
        `  ${name}.disk_locn[${index}] at ${place} # ${comment}`,
        `  ${name}.disk_locn[${index}].offset ${offset}`,
        `  ${name}.disk_locn[${index}].size ${size}`,
      );
      index++;
      place += AREA_LENGTH;
    }
  };
  list("pv_header", "data area", label.dataAreas);
  list("pv_header", "metadata area", label.metadataAreas);
  if (label.extension !== null) {
    lines.push(
      `  pv_header_extension at ${place}`,
      `  pv_header_extension.version ${label.extension.version}`,
      `  pv_header_extension.flags ${label.extension.flags}`,
    );
    index = 0;
    place += 8;
    list("pv_header_extension", "bootloader area", label.extension.bootloaderAreas);
  }
  if (areas.length === 0) lines.push("  zero metadata copies");
  for (const area of areas) lines.push(...(await mdaLines(device, area)));
  return lines;
}

async function mdaLines(device: FoundDevice, scan: AreaScan): Promise<string[]> {
  const { area, header, error, index } = scan;
  const name = `mda_header_${index + 1}`;
  if (header === null) return [`  ${name} at ${area.offset} # ${error?.message ?? "not read"}`];
  const sector = await device.device.read(area.offset, SECTOR);
  const view = new DataView(sector.buffer, sector.byteOffset, SECTOR);
  const location = (slot: number, what: string, text: TextLocation | null): string[] => {
    const field = `  ${name}.raw_locn[${slot}]`;
    return [
      `${field} at ${area.offset + LOCATIONS + slot * LOCATION_LENGTH} # ${what}`,
      `${field}.offset ${text?.offset ?? 0}`,
      `${field}.size ${text?.size ?? 0}`,
      `${field}.checksum ${hex(text?.checksum ?? 0)}`,
      `${field}.flags ${hex(text?.flags ?? 0)}${text !== null && (text.flags & 1) !== 0 ? " # ignored" : ""}`,
    ];
  };
  return [
    `  ${name} at ${area.offset} # metadata area`,
    `  ${name}.checksum ${hex(view.getUint32(0, true))}`,
    `  ${name}.magic ${MAGIC}`,
    `  ${name}.version 1`,
    `  ${name}.start ${header.start}`,
    `  ${name}.size ${header.size}`,
    ...location(0, "commit", header.committed),
    ...location(1, "precommit", header.precommitted),
    ...textLines(scan),
  ];
}

/** Where the text in force lies. */
function textLines({ area, header, copy }: AreaScan): string[] {
  const committed = header?.committed ?? null;
  if (committed === null || copy === null) return [];
  const { offset, checksum } = committed;
  const { name, seqno } = copy.identity;
  return [`  metadata text at ${area.offset + offset} crc ${hex(checksum)} # vgname ${name} seqno ${seqno}`];
}

/** Everything readable in the rings of texts, also what is out of date. */
async function areaLines({ device, scan, size }: FoundDevice): Promise<string[]> {
  const lines: string[] = [];
  for (const { area } of scan.areas) {
    const length = Math.min(area.size, size - area.offset) - SECTOR;
    if (length <= 0) continue;
    const bytes = await device.read(area.offset + SECTOR, length);
    lines.push(`  # metadata area at ${area.offset}`, readable(bytes));
  }
  return lines;
}

function readable(bytes: Uint8Array): string {
  return Buffer.from(bytes)
    .toString("latin1")
    .replaceAll(/\0+/g, "\n")
    .replaceAll(/[^\n\t\x20-\x7e]/g, ".")
    .trim();
}

function factsOf({ name, path, scan }: FoundDevice): object {
  const { label, areas } = scan;
  return {
    name,
    path,
    label,
    areas: areas.map(({ index, area, header, copy, isIgnored, error }) => ({
      index,
      ...area,
      header,
      isIgnored,
      group:
        copy === null
          ? null
          : { name: copy.identity.name, uuid: copy.identity.uuid, seqno: copy.identity.seqno },
      error: error?.message ?? null,
    })),
  };
}

const hex = (value: number): string => `0x${value.toString(16)}`;
