import { CevError, MetadataError, formatError } from "@cev/core";
import type { Device, Problem } from "@cev/core";
import type { PvNames } from "../allocate/places.ts";
import { assembleGroups } from "../assemble/assemble.ts";
import type { AssembledGroup } from "../assemble/assemble.ts";
import { unknownGroupFlag } from "../assemble/availability.ts";
import { scanPhysicalVolumes } from "../disk/scan.ts";
import type { PvScan } from "../disk/scan.ts";
import { ownPlacesAmongExtents } from "../assemble/own-places.ts";
import { wantedGroups } from "../assemble/wanted-groups.ts";
import { derivedUuid } from "../disk/derived-uuid.ts";
import { createUuid, dashUuid } from "../disk/uuid.ts";
import type { PhysicalVolume } from "../model/group.ts";
import { show } from "../text/parser.ts";
import type { ChangeInputs } from "./change.ts";
import type { CommandContext } from "./context.ts";

/** What a command may find and still change the group. */
export interface Tolerance {
  /** Physical volumes that are not there. */
  readonly missing?: boolean;
  readonly exported?: boolean;
  /** An import as a clone that was cut short. */
  readonly halfImported?: boolean;
}

/** What lies on the devices, as one command sees it. */
export class Session {
  readonly context: CommandContext;
  readonly scans: readonly PvScan[];
  readonly groups: readonly AssembledGroup[];
  /** All that was reported, for `vgck`. */
  readonly problems: readonly Problem[];
  /** Devices whose label is damaged: nobody knows whether they belong to a group. */
  readonly damaged: ReadonlyMap<string, MetadataError>;
  /** Without names of physical volumes: those belong to a group. */
  readonly inputs: ChangeInputs;
  readonly #devices: ReadonlyMap<string, Device>;

  private constructor(
    context: CommandContext,
    found: {
      readonly scans: readonly PvScan[];
      readonly groups: readonly AssembledGroup[];
      readonly problems: readonly Problem[];
      readonly damaged: ReadonlyMap<string, MetadataError>;
    },
  ) {
    this.context = context;
    this.scans = found.scans;
    this.groups = found.groups;
    this.problems = found.problems;
    this.damaged = found.damaged;
    this.#devices = new Map(context.devices.map((device) => [device.name, device]));
    const { environment } = context;
    this.inputs = {
      names: new Map(),
      newUuid: () => createUuid((bytes) => environment.random(bytes)),
      now: Math.floor((environment.wallClock?.now() ?? 0) / 1000),
      hostname: context.hostname ?? "cev",
    };
  }

  /**
   * Scans the devices and makes groups of what is there. Reads only. `isForRepair`: a group of which no copy can be accepted is
   * left out and reported; otherwise that is thrown.
   */
  static async open(context: CommandContext, isForRepair = false): Promise<Session> {
    const names = new Set(context.devices.map(({ name }) => name));
    if (names.size < context.devices.length)
      throw new CevError("CEV_INVALID", "two devices have one name", {
        hint: "give them names of their own",
      });
    const problems: Problem[] = [];
    const damaged = new Map<string, MetadataError>();
    const scans: PvScan[] = [];
    for (const [index, found] of (await scanPhysicalVolumes(context.devices)).entries()) {
      if (found === null) continue;
      if (!(found instanceof MetadataError)) {
        scans.push(found);
        continue;
      }
      const { name } = context.devices[index]!;
      damaged.set(name, found);
      problems.push({ severity: "error", code: found.code, message: formatError(found), device: name });
    }
    const groups = assembleGroups(
      scans,
      (problem) => problems.push(problem),
      (error) => {
        if (!isForRepair || error.code !== "CEV_BAD_METADATA") throw error;
        const { source } = error.place;
        problems.push({
          severity: "error",
          code: error.code,
          message: formatError(error),
          ...(source === undefined ? {} : { device: source }),
        });
      },
    );
    for (const problem of problems) context.report?.(problem);
    return new Session(context, { scans, groups, problems, damaged });
  }

  /** What the user calls the physical volumes of a group. */
  namesOf(found: AssembledGroup): PvNames {
    return new Map(this.membersOf(found).map(({ label, source }) => [source.name, dashUuid(label.uuid)]));
  }

  /** What a change of a group takes from outside. */
  inputsFor(found: AssembledGroup): ChangeInputs {
    return { ...this.inputs, names: this.namesOf(found) };
  }

  /** A device by its name. Throws `CEV_NOT_FOUND`. */
  device(name: string): Device {
    const device = this.#devices.get(name);
    if (device !== undefined) return device;
    throw new CevError("CEV_NOT_FOUND", `there is no device ${show(name)} here`, {
      hint: `there is ${[...this.#devices.keys()].join(", ") || "none"}`,
    });
  }

  deviceOf(scan: PvScan): Device {
    return this.device(scan.source.name);
  }

  /** Null: the device carries no label. */
  scanOf(name: string): PvScan | null {
    return this.scans.find(({ source }) => source.name === name) ?? null;
  }

  /** The group a device belongs to; null: none. */
  ownerOf(scan: PvScan): AssembledGroup | null {
    const index = this.scans.indexOf(scan);
    return this.groups.find(({ scanIndexes }) => scanIndexes.includes(index)) ?? null;
  }

  /** By name or UUID; the only one where none is named. Throws `CEV_NOT_FOUND` and `CEV_AMBIGUOUS`. */
  find(wanted: string | undefined): AssembledGroup {
    const found = wantedGroups(this.groups, wanted ?? null, this.scans);
    const [first, second] = found;
    if (first === undefined) throw new CevError("CEV_NOT_FOUND", "there is no volume group on these devices");
    if (second !== undefined)
      throw new CevError("CEV_AMBIGUOUS", "there are several volume groups", {
        hint: `name one: ${found.map(({ displayName }) => displayName).join(", ")}`,
      });
    return first;
  }

  /** A group that may be changed. Throws with the reason where it may not. */
  findChangeable(wanted: string | undefined, tolerance: Tolerance = {}): AssembledGroup {
    const found = this.find(wanted);
    this.checkChangeable(found, tolerance);
    return found;
  }

  /** Throws where a group is not understood in full, not this host's, or not whole. */
  checkChangeable(
    found: AssembledGroup,
    { missing = false, exported = false, halfImported = false }: Tolerance = {},
  ): void {
    const { group } = found;
    const { name } = group;
    const flag = unknownGroupFlag(group);
    if (flag !== null)
      throw new CevError("CEV_UNKNOWN_FEATURE", `the volume group ${name} has the status ${show(flag)}`, {
        hint: "use LVM2 itself on this group",
      });
    if (!exported && group.status.includes("EXPORTED"))
      throw new CevError("CEV_READ_ONLY", `the volume group ${name} is exported`, { hint: "see vgimport" });
    if (group.status.includes("CLUSTERED") || !["", "none"].includes(group.lockType))
      throw new CevError(
        "CEV_BUSY",
        `the volume group ${name} is shared by several hosts under a lock that is not taken here`,
        { hint: "change it with LVM2 on one of them" },
      );
    if (group.systemId !== "" && group.systemId !== (this.context.systemId ?? ""))
      throw new CevError("CEV_BUSY", `the volume group ${name} belongs to the host ${show(group.systemId)}`, {
        hint: "give that host's name as the system ID where it is the right one",
      });
    if (!group.status.includes("WRITE") && !group.flags.includes("WRITE_LOCKED"))
      throw new CevError("CEV_READ_ONLY", `the volume group ${name} may not be written`);
    for (const { areas } of this.membersOf(found))
      for (const { error } of areas) if (error?.code === "CEV_UNKNOWN_FEATURE") throw error;
    const overlap = ownPlacesAmongExtents(found, this.scans);
    if (overlap !== null)
      throw new CevError(
        "CEV_BAD_METADATA",
        `the volume group ${name} cannot be changed: ${overlap}, and writing one would spoil the other`,
        { hint: "restore an earlier description with vgcfgrestore" },
      );
    if (!halfImported && this.halfImportedIndex(found) >= 0)
      throw new CevError(
        "CEV_DEGRADED",
        `the volume group ${name} cannot be changed: its import as a clone was cut short`,
        { hint: "run vgimportclone of its devices again" },
      );
    const lost = found.members.filter(({ state }) => state !== "present");
    if (!missing && lost.length > 0)
      throw new CevError(
        "CEV_DEGRADED",
        `the volume group ${name} cannot be changed while physical volumes are missing: ` +
          lost.map(({ physicalVolume }) => physicalVolume.uuid).join(", "),
        { hint: "see vgreduce --removemissing and vgextend --restoremissing" },
      );
  }

  /** All that is here of a group, also what is marked as missing: its areas get the new text, too. */
  membersOf({ scanIndexes }: AssembledGroup): readonly PvScan[] {
    return scanIndexes.map((index) => this.scans[index]!);
  }

  /** A physical volume of a group, where it is here: never that of a clone. */
  memberScan(found: AssembledGroup, uuid: string): PvScan | null {
    const withUuid = (wanted: string): PvScan | undefined =>
      this.membersOf(found).find(({ label }) => dashUuid(label.uuid) === wanted);
    return withUuid(uuid) ?? withUuid(derivedUuid(uuid, found.group.uuid)) ?? null;
  }

  /** Index of the physical volume whose label has the UUID that an import as a clone gives, and the text not yet; -1: none. */
  halfImportedIndex(found: AssembledGroup): number {
    const known = new Set(found.group.physicalVolumes.map(({ uuid }) => uuid));
    const strange = this.membersOf(found)
      .map(({ label }) => dashUuid(label.uuid))
      .filter((uuid) => !known.has(uuid));
    if (strange.length === 0) return -1;
    return found.group.physicalVolumes.findIndex(({ uuid }) =>
      strange.includes(derivedUuid(uuid, found.group.uuid)),
    );
  }

  /** The physical volumes of a group that have these names. Throws `CEV_NOT_FOUND`. */
  membersNamed(found: AssembledGroup, names: readonly string[]): readonly PhysicalVolume[] {
    const { group } = found;
    const known = this.namesOf(found);
    return [...new Set(names)].map((name) => {
      const uuid = known.get(name);
      const volume = group.physicalVolumes.find((one) => one.uuid === (uuid ?? name));
      if (volume !== undefined)
        return { ...volume, deviceHint: uuid === undefined ? volume.deviceHint : name };
      this.device(name);
      throw new CevError(
        "CEV_NOT_FOUND",
        `${show(name)} is no physical volume of the volume group ${group.name}`,
      );
    });
  }
}
