import { INTERFACE_VERSION, readBytes } from "@cev/core";
import type { Device, Driver, Finding, OpenContext, OpenedDevice, Problem } from "@cev/core";
import { arrayDetails, levelName, memberDetails, stateOf } from "./details.ts";
import { readSuperblock } from "./metadata/member-scan.ts";
import { RAID_OPTIONS, RAID_OPTIONS_SCHEMA } from "./options.ts";
import type { RaidOptions } from "./options.ts";
import { planArray } from "./assemble/plan.ts";
import type { ArrayPlan } from "./assemble/plan.ts";
import { RaidLayer } from "./raid-layer.ts";
import type { RaidLayerOptions } from "./raid-layer.ts";
import { ReshapeLayer } from "./reshape-layer.ts";
import { Role, ownRole } from "./metadata/superblock.ts";
import type { Superblock } from "./metadata/superblock.ts";

/** The driver `@cev/raid`: Linux md arrays, assembled from their superblocks with the members in any order. */
export const raidDriver: Driver<RaidOptions> = {
  name: "@cev/raid",
  interfaceVersion: INTERFACE_VERSION,
  summary: "Linux md RAID of all levels, also with members missing",
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
  const { arrayName, arrayUuid } = plan.assembly.newest.superblock;
  const layer = layerOf(plan, { environment, report, isForced: options.force === true });
  const name = arrayName === "" ? arrayUuid : arrayName;
  return [{ name: `md/${name}`, layer, state: stateOf(plan), details: arrayDetails(plan, layer) }];
}

type Common = Pick<RaidLayerOptions, "environment" | "isForced"> & {
  readonly report: (problem: Problem) => void;
};

/** The layer for an array that is to be opened as planned. */
function layerOf(plan: ArrayPlan, common: Common): RaidLayer | ReshapeLayer {
  const { assembly, level, geometry, reshape, bitmap, devices, recoveredTo, byBitmap, spares } = plan;
  if (reshape !== null) {
    const [before, after] = [reshape.before, reshape.after].map(
      ({ superblock, members }) =>
        new RaidLayer({ ...common, superblock, devices: members, bitmap: null, isReadOnly: true }),
    );
    const { position, isBackwards, size } = reshape;
    return new ReshapeLayer({ before: before!, after: after!, position, isBackwards, size });
  }
  const newest = assembly.newest.superblock;
  // What a RAID0 of unequal members is laid out like may be known from elsewhere.
  const superblock = level.number === 0 ? { ...newest, layout: geometry.layout } : newest;
  const { isReadOnly } = plan;
  return new RaidLayer({
    ...common,
    superblock,
    devices,
    recoveredTo,
    byBitmap,
    spares,
    bitmap,
    isReadOnly,
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
