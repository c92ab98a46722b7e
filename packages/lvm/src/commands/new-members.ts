import { CevError } from "@cev/core";
import { parsePlainSize } from "../allocate/sizes.ts";
import type { DiskWrite } from "../disk/commit-plan.ts";
import { LABEL_SECTOR_COUNT } from "../disk/label.ts";
import type { PvLabel } from "../disk/label.ts";
import {
  creationRounds,
  labelFor,
  labelWrite,
  lastAreaOf,
  layoutOf,
  layoutPhysicalVolume,
  removalWrites,
  withUse,
} from "../disk/pv-layout.ts";
import type { PvLayoutOptions } from "../disk/pv-layout.ts";
import type { PvScan } from "../disk/scan.ts";
import { SECTOR } from "../disk/bytes.ts";
import { dashUuid, isDashedUuid } from "../disk/uuid.ts";
import { refuse } from "./change.ts";
import type { NewMember } from "./change-group.ts";
import type { DeviceWrite } from "./perform.ts";
import type { PvCreateRequest, PvOptions } from "./request.ts";
import type { Session } from "./session.ts";

const USED = 1;

/** A physical volume that is there, or is to be made of a device. */
export interface PreparedPv {
  /** As a scan will see it. */
  readonly scan: PvScan;
  /** What makes it, in rounds; none where it is there already. */
  readonly rounds: readonly (readonly DeviceWrite[])[];
}

/** Of each device the physical volume it is, or is to become, to join a group. Throws where one belongs to a group. */
export async function prepareMembers(
  session: Session,
  names: readonly string[],
  options: PvOptions,
): Promise<readonly PreparedPv[]> {
  if (names.length === 0) refuse("no device is named");
  if (new Set(names).size < names.length) refuse("a device is named twice");
  const prepared: PreparedPv[] = [];
  for (const name of names) {
    const scan = session.scanOf(name);
    if (scan !== null) checkUnused(session, scan, options.force === true);
    if (scan !== null && !isStale(scan)) prepared.push({ scan, rounds: [] });
    else prepared.push(await preparePv(session, name, options));
  }
  checkBlockSizes(session, prepared);
  return prepared;
}

/** A new physical volume on a device. Throws `CEV_BUSY` where it carries one in use, unless by force. */
export async function preparePv(
  session: Session,
  name: string,
  options: PvOptions & Partial<Pick<PvCreateRequest, "uuid" | "setSize">>,
  dataOffset?: number,
): Promise<PreparedPv> {
  const device = session.device(name);
  const old = session.scanOf(name);
  const isForced = options.force === true;
  if (old !== null) checkUnused(session, old, isForced);
  const damage = session.damaged.get(name);
  if (damage !== undefined && !isForced)
    throw new CevError("CEV_BUSY", `${name} carries the damaged label of a physical volume`, {
      cause: damage,
      hint: "repair it, or use force to give it up",
    });
  const size = options.setSize === undefined ? device.size : parsePlainSize(options.setSize, "the size");
  if (size > device.size) refuse(`${name} has ${device.size} bytes, fewer than ${size}`);
  const layout = layoutPhysicalVolume({ size, ...layoutOptions(options), dataOffset });
  const sector = options.labelSector ?? 1;
  if (!(Number.isInteger(sector) && sector >= 0 && sector < LABEL_SECTOR_COUNT))
    refuse(`${sector} is no sector of a label: it lies between 0 and ${LABEL_SECTOR_COUNT - 1}`);
  const label = labelFor(layout, options.uuid ?? session.inputs.newUuid(), sector);
  const [wipe, ...rest] = creationRounds(label);
  const first =
    options.zero === false ? removalWrites(await device.read(0, LABEL_SECTOR_COUNT * SECTOR)) : (wipe ?? []);
  const rounds = [first, ...rest].map((writes) =>
    writes.map((write) => onDevice(session, name, write, "physical volume")),
  );
  return { scan: emptyScan(session, name, label), rounds };
}

function layoutOptions(options: PvOptions): Omit<PvLayoutOptions, "size"> {
  const sizeOf = (text: number | string | undefined, what: string): number | undefined =>
    text === undefined ? undefined : parsePlainSize(text, what);
  return {
    metadataCopies: options.metadataCopies,
    metadataSize: sizeOf(options.metadataSize, "the size of the metadata area"),
    dataAlignment: sizeOf(options.dataAlignment, "the data alignment"),
    dataAlignmentOffset: sizeOf(options.dataAlignmentOffset, "the offset of the data alignment"),
    bootloaderSize: sizeOf(options.bootloaderAreaSize, "the size of the bootloader area"),
  };
}

/** A write with the name of what it is for. */
export function onDevice(session: Session, name: string, write: DiskWrite, what: string): DeviceWrite {
  return { device: session.device(name), what, offset: write.offset, bytes: write.bytes };
}

function emptyScan(session: Session, name: string, label: PvLabel): PvScan {
  return {
    source: session.device(name),
    label,
    labelErrors: [],
    ignoredLabelSectors: [],
    areas: label.metadataAreas.map((area, index) => ({
      index,
      area,
      header: { start: area.offset, size: area.size, committed: null, precommitted: null },
      isIgnored: false,
      copy: null,
      error: null,
    })),
  };
}

/** Throws `CEV_BUSY` where a physical volume belongs to a group, known or not. */
export function checkUnused(session: Session, scan: PvScan, isForced: boolean): void {
  if (isForced) return;
  const { name } = scan.source;
  const owner = session.ownerOf(scan);
  if (owner !== null)
    throw new CevError("CEV_BUSY", `${name} is a physical volume of the volume group ${owner.group.name}`, {
      hint: "see vgreduce; force takes it out of a group that is lost",
    });
  const copy = scan.areas.find((area) => area.copy !== null)?.copy;
  if (copy !== undefined && copy !== null)
    throw new CevError(
      "CEV_BUSY",
      `${name} carries metadata of the volume group ${copy.identity.name}, which does not list it any more`,
      { hint: "force makes it a new physical volume" },
    );
  if (isMarkedUsed(scan))
    throw new CevError("CEV_BUSY", `${name} is marked as belonging to a volume group that is not here`, {
      hint: "name the other physical volumes of the group, too; force makes it a new one",
    });
}

function isMarkedUsed({ label }: PvScan): boolean {
  return ((label.extension?.flags ?? 0) & USED) !== 0;
}

/** Something of a former group lies on it, or of something damaged: it is made anew. */
function isStale(scan: PvScan): boolean {
  return (
    isMarkedUsed(scan) ||
    scan.areas.some(({ copy, error, header }) => copy !== null || error !== null || header === null)
  );
}

/** Volumes across physical volumes of unlike blocks would have blocks of unlike sizes: LVM2 refuses them, too. */
function checkBlockSizes(session: Session, prepared: readonly PreparedPv[]): void {
  const sizes = prepared.map(({ scan }) => session.deviceOf(scan).layer.limits.logicalBlockSize);
  if (new Set(sizes).size > 1)
    refuse(`the devices have blocks of different sizes: ${[...new Set(sizes)].join(" and ")} bytes`);
}

/** A physical volume as its new group knows it. */
export function memberOf({ scan }: PreparedPv): NewMember {
  const layout = layoutOf(scan.label);
  return {
    device: scan.source.name,
    uuid: dashUuid(scan.label.uuid),
    size: layout.size,
    dataOffset: layout.dataOffset,
    dataEnd: lastAreaOf(layout)?.offset ?? layout.size,
    bootloaderArea: layout.bootloaderArea,
  };
}

/** The labels of physical volumes, with or without the mark that they belong to a group. */
export function markWrites(
  session: Session,
  scans: readonly PvScan[],
  isUsed: boolean,
): readonly DeviceWrite[] {
  return scans.map((scan) =>
    onDevice(session, scan.source.name, labelWrite(withUse(scan.label, isUsed)), "label"),
  );
}

/** Throws `CEV_INVALID` for what is no UUID. */
export function checkUuid(uuid: string): string {
  return isDashedUuid(uuid)
    ? uuid
    : refuse(`${JSON.stringify(uuid)} is no UUID`, "its form is aXoWDR-Rf6N-lqpQ-38Y5-Sn7E-uD4Q-izNcUT");
}
