import type { Details, Json } from "@cev/core";
import { bitCount, hasBit } from "./metadata/bitmap.ts";
import type { MemberBitmap } from "./metadata/member-scan.ts";
import type { RaidLayer } from "./raid-layer.ts";
import { ReshapeLayer } from "./reshape-layer.ts";
import type { ArrayPlan } from "./assemble/plan.ts";
import { DeviceFlag, Role, ownRole } from "./metadata/superblock.ts";
import type { Superblock } from "./metadata/superblock.ts";

const SECTOR = 512;

/** What a superblock alone says, for whoever looks at one member. */
export function memberDetails(superblock: Superblock): Details {
  const role = ownRole(superblock);
  return {
    arrayUuid: superblock.arrayUuid,
    arrayName: superblock.arrayName,
    metadata: superblock.version,
    level: levelName(superblock.level),
    memberCount: superblock.memberCount,
    role: role < Role.special ? role : role === Role.faulty ? "faulty" : "spare",
    deviceUuid: superblock.deviceUuid,
    events: Number(superblock.eventCount),
    isClean: superblock.resyncSectors === null,
    ...flagsOf(superblock),
  };
}

/** What there is to know about an assembled array. */
export function arrayDetails(plan: ArrayPlan, layer: RaidLayer | ReshapeLayer): Details {
  const { assembly, devices, leftOut, level, geometry, reshape } = plan;
  const { superblock } = assembly.newest;
  const { array } = layer instanceof ReshapeLayer ? layer.after : layer;
  return {
    uuid: superblock.arrayUuid,
    name: superblock.arrayName,
    metadata: superblock.version,
    level: levelName(superblock.level),
    layout: level.layoutName(geometry.layout, geometry.memberCount) ?? "",
    chunkSize: superblock.chunkSectors * SECTOR,
    memberCount: superblock.memberCount,
    events: Number(superblock.eventCount),
    isClean: plan.isClean,
    isDegraded: plan.isDegraded,
    members: array.members.map((member): Json => {
      const own = devices[member.index]?.superblock;
      return {
        role: member.index,
        device: own === undefined ? null : member.name,
        state: member.state,
        deviceUuid: own?.deviceUuid ?? null,
        events: own === undefined ? null : Number(own.eventCount),
        ...flagsOf(own),
      };
    }),
    spares: plan.spares.map(({ name }) => name),
    leftOut: leftOut.map(({ name, reason, canReAdd }): Json => ({
      device: name,
      reason,
      ...(canReAdd === undefined ? {} : { canReAdd }),
    })),
    reshape: reshape === null ? null : { position: reshape.position, isBackwards: reshape.isBackwards },
    bitmap: plan.bitmap === null ? null : bitmapDetails(plan.bitmap),
  };
}

/** As mdadm says it: "clean", "dirty, degraded". */
export function stateOf(plan: ArrayPlan): string {
  return `${plan.isClean ? "clean" : "dirty"}${plan.isDegraded ? ", degraded" : ""}`;
}

/** "raid5", "linear". */
export function levelName(level: number): string {
  return level === -1 ? "linear" : level === -4 ? "multipath" : `raid${level}`;
}

/** What mdadm shows as "writemostly" and "failfast". */
function flagsOf(superblock: Superblock | undefined): { isWriteMostly: boolean; isFailFast: boolean } {
  const flags = superblock?.deviceFlags ?? 0;
  return {
    isWriteMostly: (flags & DeviceFlag.writeMostly) !== 0,
    isFailFast: (flags & DeviceFlag.failFast) !== 0,
  };
}

function bitmapDetails({ head, bits }: MemberBitmap): Json {
  let dirtyCount = 0;
  for (let index = 0; index < bitCount(head); index++) if (hasBit(bits, index)) dirtyCount++;
  return { chunkSize: head.chunkSize, bitCount: bitCount(head), dirtyCount, events: Number(head.eventCount) };
}
