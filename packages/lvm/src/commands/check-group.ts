import type { Problem } from "@cev/core";
import { formatError } from "@cev/core";
import type { AssembledGroup } from "../assemble/assemble.ts";
import { ownPlacesAmongExtents } from "../assemble/own-places.ts";
import { unknownGroupFlag } from "../assemble/availability.ts";
import { show } from "../text/parser.ts";
import type { CommandRow } from "./context.ts";
import type { Session } from "./session.ts";
import { VolumeTree, partsOf } from "./volume-tree.ts";

/** A fault of a group, or of a device: `severity`, `code`, `message`, `device`. */
export function checkGroups(session: Session, groups: readonly AssembledGroup[]): readonly CommandRow[] {
  const rows = session.problems.filter((problem) => !isBesides(session, problem)).map(rowOf);
  for (const found of groups) rows.push(...[...checkGroup(session, found)].map(rowOf));
  return rows;
}

/** A physical volume that is free is no fault of the groups beside it. */
function isBesides(session: Session, { device, code }: Problem): boolean {
  const scan = device === undefined ? null : session.scanOf(device);
  return (
    code === "CEV_NOT_FOUND" &&
    scan !== null &&
    session.ownerOf(scan) === null &&
    scan.areas.every(({ copy, error }) => copy === null && error === null)
  );
}

function rowOf({ severity, code, message, device }: Problem): CommandRow {
  return { severity, code, message, device: device ?? null };
}

/** What the scan and the assembling do not say by themselves. */
function* checkGroup(session: Session, found: AssembledGroup): Generator<Problem> {
  const { group } = found;
  const flag = unknownGroupFlag(group);
  if (flag !== null)
    yield error("CEV_UNKNOWN_FEATURE", `${group.name} has the status ${show(flag)}, which is not known`);
  const overlap = ownPlacesAmongExtents(found, session.scans);
  if (overlap !== null) yield error("CEV_BAD_METADATA", `${group.name}: ${overlap}`);
  for (const volume of group.physicalVolumes) {
    const scan = session.memberScan(found, volume.uuid);
    if (scan === null) continue;
    const { name, size } = scan.source;
    const { label } = scan;
    if (((label.extension?.flags ?? 0) & 1) === 0)
      yield warning("CEV_BAD_METADATA", `${name}: the label does not say that it belongs to a group`, name);
    const dataOffset = label.dataAreas[0]?.offset;
    if (dataOffset !== undefined && dataOffset !== volume.dataOffset)
      yield warning(
        "CEV_BAD_METADATA",
        `${name}: the label puts the first extent at byte ${dataOffset}, the group at ${volume.dataOffset}`,
        name,
      );
    const end = volume.dataOffset + volume.extentCount * group.extentSize;
    if (end > size)
      yield error("CEV_BAD_METADATA", `${name}: its extents end at byte ${end}, the device at ${size}`, name);
    for (const { header, index } of scan.areas)
      if (header?.precommitted !== null && header !== null)
        yield warning(
          "CEV_BAD_METADATA",
          `${name}: metadata area ${index} has a text that was being written when something stopped`,
          name,
        );
  }
  yield* checkVolumes(found);
}

/** What volumes say of one another. */
function* checkVolumes({ group }: AssembledGroup): Generator<Problem> {
  const tree = new VolumeTree(group);
  const users = new Map<string, string>();
  for (const volume of group.logicalVolumes) {
    const { name, segments } = volume;
    if (segments.length === 0) yield error("CEV_BAD_METADATA", `${name} has no extents`);
    for (const { mapping } of segments) {
      if (mapping.kind === "unknown") yield warning("CEV_UNKNOWN_FEATURE", `${name} ${mapping.reason}`);
      for (const part of partsOf(mapping)) {
        const other = users.get(part);
        if (tree.get(part) === null)
          yield error("CEV_BAD_METADATA", `${name} lies on ${show(part)}, which there is none of`);
        else if (other !== undefined && other !== name)
          yield error("CEV_BAD_METADATA", `${part} is a part of ${other} and of ${name}`);
        users.set(part, name);
      }
      if (mapping.kind === "snapshot") {
        for (const needed of [mapping.origin, mapping.store])
          if (tree.get(needed) === null)
            yield error("CEV_BAD_METADATA", `${name} names ${show(needed)}, which there is none of`);
        if (mapping.isMerging)
          yield warning(
            "CEV_BUSY",
            `${mapping.store} is being merged into ${mapping.origin}; lvconvert --merge goes on with it`,
          );
      }
      if (mapping.kind === "thin" && tree.get(mapping.pool) === null)
        yield error(
          "CEV_BAD_METADATA",
          `${name} lies in the pool ${show(mapping.pool)}, which there is none of`,
        );
    }
  }
}

function error(code: string, message: string, device?: string): Problem {
  return { severity: "error", code, message, ...(device === undefined ? {} : { device }) };
}

function warning(code: string, message: string, device?: string): Problem {
  return { severity: "warning", code, message, ...(device === undefined ? {} : { device }) };
}

/** An error that kept the devices from being looked at, as the one fault that is known. */
export function faultRow(cause: { readonly code: string; readonly message: string }): CommandRow {
  return { severity: "error", code: cause.code, message: formatError(cause), device: null };
}
