import { CevError, INTERFACE_VERSION, isCevError } from "@cev/core";
import type { Device, Driver, Finding, OpenContext, OpenedDevice } from "@cev/core";
import { assembleArray } from "./assemble-array.ts";
import { createIfBlank } from "./create-option.ts";
import { assembleDmRaid } from "./dm-raid/assemble-dm-raid.ts";
import { arrayDetails, levelName, memberDetails, stateOf } from "./details.ts";
import { refuseExternalMetadata } from "./metadata/external-metadata.ts";
import { readSuperblock } from "./metadata/member-scan.ts";
import type { ScanTarget } from "./metadata/member-scan.ts";
import { RAID_OPTIONS, RAID_OPTIONS_SCHEMA } from "./options.ts";
import type { RaidOptions } from "./options.ts";
import { Role, ownRole } from "./metadata/superblock.ts";
import type { Superblock } from "./metadata/superblock.ts";

/** The driver `@cev/raid`: Linux md arrays, assembled from their superblocks with the members in any order. */
export const raidDriver: Driver<RaidOptions> = {
  name: "@cev/raid",
  interfaceVersion: INTERFACE_VERSION,
  summary: "Linux md RAID of all levels, also with members missing, and of LVM's RAID volumes",
  options: RAID_OPTIONS,
  optionsSchema: RAID_OPTIONS_SCHEMA,
  lowers: { countMin: 1, countMax: 1920 },
  canLackLowers: true,
  probe,
  open,
};

async function probe(device: Device): Promise<Finding | null> {
  const target: ScanTarget = {
    source: device.name,
    size: device.size,
    read: (offset, length) => device.read(offset, length),
  };
  const superblock = await readSuperblock(target);
  if (superblock === null) {
    await refuseExternalMetadata(target);
    return null;
  }
  return {
    summary: summaryOf(superblock),
    group: superblock.arrayUuid,
    details: memberDetails(superblock),
  };
}

async function open(context: OpenContext<RaidOptions>): Promise<readonly OpenedDevice[]> {
  const { environment, options, lowers, missing = [], isReadOnly, canWriteDegraded } = context;
  const report = context.report.bind(context);
  if (options.dmRaid !== undefined) {
    const { dmRaid, ...rest } = options;
    if (missing.length > 0)
      throw new CevError("CEV_NOT_FOUND", `${missing.join(", ")} cannot be opened`, {
        hint: "members of LVM's volumes are known by their order: all of them have to be there",
      });
    const { layer, plan } = await assembleDmRaid({
      environment,
      dmRaid,
      lowers,
      options: rest,
      isReadOnly,
      canWriteDegraded,
      report,
    });
    return [{ name: null, layer, state: stateOf(plan), details: arrayDetails(plan, layer) }];
  }
  const canWrite = !isReadOnly && lowers.every(({ layer }) => layer.support.write !== "none");
  // What is not there may well be what carries the array: nothing is made without it.
  if (options.create !== undefined && canWrite && missing.length === 0)
    await createIfBlank(lowers, options.create, environment);
  const { layer, plan } = await assembleArray({
    environment,
    members: lowers,
    options,
    isReadOnly,
    canWriteDegraded,
    report,
  }).catch((error: unknown) => {
    throw options.create === undefined ? error : notMadeYet(error);
  });
  const { arrayName, arrayUuid } = plan.assembly.newest.superblock;
  const name = arrayName === "" ? arrayUuid : arrayName;
  return [{ name: `md/${name}`, layer, state: stateOf(plan), details: arrayDetails(plan, layer) }];
}

/** An array that is to be made where there is none, and was only looked at. */
function notMadeYet(error: unknown): unknown {
  if (!isCevError(error) || error.code !== "CEV_NOT_FOUND") return error;
  return new CevError("CEV_NOT_FOUND", "the array is not made yet", {
    hint: "it is made when it is opened for writing: serve it, or copy to it",
    cause: error,
  });
}

/** "md active device 1 of raid5 array oracle:0 (4 devices)": in the words of mdadm, and counted from 0 as it does. */
function summaryOf(superblock: Superblock): string {
  const { arrayName, arrayUuid, memberCount, level } = superblock;
  const array = `${levelName(level)} array ${arrayName === "" ? arrayUuid : arrayName} (${memberCount} devices)`;
  const role = ownRole(superblock);
  if (role === Role.faulty) return `failed md member of ${array}`;
  return role < Role.special ? `md active device ${role} of ${array}` : `md spare of ${array}`;
}
