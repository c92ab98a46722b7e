import { INTERFACE_VERSION, readBytes } from "@cev/core";
import type { Device, Driver, Finding, OpenContext, OpenedDevice } from "@cev/core";
import { arrayDetails, levelName, memberDetails, stateOf } from "./details.ts";
import { readSuperblock } from "./metadata/member-scan.ts";
import { RAID_OPTIONS, RAID_OPTIONS_SCHEMA } from "./options.ts";
import type { RaidOptions } from "./options.ts";
import { planArray } from "./assemble/plan.ts";
import { RaidLayer } from "./raid-layer.ts";
import { Role, ownRole } from "./metadata/superblock.ts";
import type { Superblock } from "./metadata/superblock.ts";

/** The driver `@cev/raid`: Linux md arrays, assembled from their superblocks with the members in any order. */
export const raidDriver: Driver<RaidOptions> = {
  name: "@cev/raid",
  interfaceVersion: INTERFACE_VERSION,
  summary: "Linux md RAID5: superblock 1.0, 1.1 and 1.2, also with a member missing",
  options: RAID_OPTIONS,
  optionsSchema: RAID_OPTIONS_SCHEMA,
  lowers: { countMin: 1, countMax: 1920 },
  probe,
  open,
};

async function probe(device: Device): Promise<Finding | null> {
  const superblock = await readSuperblock({
    source: device.name,
    size: device.size,
    read: (offset, length) => device.read(offset, length),
  });
  if (superblock === null) return null;
  return {
    summary: summaryOf(superblock),
    group: superblock.arrayUuid,
    details: memberDetails(superblock),
  };
}

async function open(context: OpenContext<RaidOptions>): Promise<readonly OpenedDevice[]> {
  const { environment, options, lowers } = context;
  const candidates = lowers.map(({ name, layer }) => ({
    source: name,
    layer,
    size: layer.limits.size,
    read: (offset: number, length: number) => readBytes(layer, environment, offset, length),
  }));
  const report = context.report.bind(context);
  const plan = await planArray(candidates, {
    ...options,
    degraded: options.degraded === true || context.canWriteDegraded,
    isReadOnly: context.isReadOnly || lowers.some(({ layer }) => layer.support.write === "none"),
    report,
  });
  const { superblock } = plan.assembly.newest;
  const layer = new RaidLayer({
    environment,
    devices: plan.assembly.members,
    superblock,
    bitmap: plan.bitmap,
    isReadOnly: plan.isReadOnly,
    isForced: options.force === true,
    report,
  });
  const name = superblock.arrayName === "" ? superblock.arrayUuid : superblock.arrayName;
  return [{ name: `md/${name}`, layer, state: stateOf(plan), details: arrayDetails(plan, layer) }];
}

/** "md active device 1 of raid5 array oracle:0 (4 devices)": in the words of mdadm, and counted from 0 as it does. */
function summaryOf(superblock: Superblock): string {
  const { arrayName, arrayUuid, memberCount, level } = superblock;
  const array = `${levelName(level)} array ${arrayName === "" ? arrayUuid : arrayName} (${memberCount} devices)`;
  const role = ownRole(superblock);
  if (role === Role.faulty) return `failed md member of ${array}`;
  return role < Role.special ? `md active device ${role} of ${array}` : `md spare of ${array}`;
}
