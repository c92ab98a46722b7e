import { CevError } from "@cev/core";
import type { AssembledGroup } from "../assemble/assemble.ts";
import { planCommit } from "../disk/commit-plan.ts";
import { clearedArea } from "../disk/pv-layout.ts";
import type { PvScan } from "../disk/scan.ts";
import { dashUuid } from "../disk/uuid.ts";
import type { VolumeGroup } from "../model/group.ts";
import { refuse } from "./change.ts";
import type { CommandResult } from "./context.ts";
import { markWrites, onDevice } from "./new-members.ts";
import { archivedText, backupText, describeRequest, resultOf } from "./outcome.ts";
import { Performance, makeText } from "./perform.ts";
import type { VgBackupRequest, VgRestoreRequest } from "./request.ts";
import { decodeBackup } from "./run-pv-commands.ts";
import { releaseMembers } from "./run-group-commands.ts";
import type { Session } from "./session.ts";

/** `vgcfgbackup`: the text in force. */
export function vgcfgbackup(session: Session, request: VgBackupRequest): CommandResult {
  const { group } = session.find(request.group);
  return resultOf(request, new Performance(session), {
    group: group.name,
    seqnoBefore: group.seqno,
    text: backupText(session, group, session.context.description ?? describeRequest(request)),
    messages: [`Volume group "${group.name}" successfully backed up.`],
  });
}

/**
 * `vgcfgrestore`: the group becomes what a backup says. Physical volumes that joined since leave again. Throws `CEV_DEGRADED` where
 * one of the backup is not here.
 */
export async function vgcfgrestore(session: Session, request: VgRestoreRequest): Promise<CommandResult> {
  const backup = decodeBackup(request.text);
  const { name, uuid } = backup;
  const alike = session.groups.filter(({ group }) => group.uuid === uuid);
  // Clones: the name says which.
  const found = alike.length > 1 ? session.find(request.group ?? name) : (alike[0] ?? null);
  if (request.group !== undefined && ![name, uuid, found?.displayName].includes(request.group))
    refuse(`the backup is of the volume group ${name}, not of ${request.group}`);
  checkBackup(backup, request.force === true);
  const members = backupMembers(session, backup, found);
  if (found !== null) session.checkChangeable(found, { missing: true, exported: true });
  const twin = session.groups.find(({ group }) => group.name === name && group.uuid !== uuid);
  if (twin !== undefined)
    refuse(`another volume group is named ${name} (UUID ${twin.group.uuid})`, "rename one of them first");
  const seqnoBefore = Math.max(backup.seqno, found?.group.seqno ?? 0, ...members.map(newestSeqno));
  const text = makeText(session, backup, seqnoBefore, describeRequest(request));
  const plan = planCommit({ scans: members, text: text.text, isRepairing: true });
  const performance = new Performance(session);
  if (found !== null) await performance.archive(() => archivedText(session, request, found));
  await performance.commit(plan);
  const known = new Set(members);
  const gone = found === null ? [] : session.membersOf(found).filter((scan) => !known.has(scan));
  await releaseMembers(session, performance, gone);
  await performance.write(markWrites(session, members.filter(isUnmarked), true));
  return resultOf(request, performance, {
    group: name,
    seqnoBefore: found?.group.seqno ?? null,
    seqnoAfter: text.group.seqno,
    text: text.text,
    messages: [`Restored volume group ${name}`],
  });
}

function checkBackup({ name, physicalVolumes, logicalVolumes }: VolumeGroup, isForced: boolean): void {
  if (physicalVolumes.some(({ isMarkedMissing }) => isMarkedMissing))
    throw new CevError("CEV_DEGRADED", `the backup of ${name} was made while physical volumes were missing`, {
      hint: "take an older one",
    });
  const pool = logicalVolumes.find(({ segments }) =>
    segments.some(({ mapping }) => mapping.kind === "thin-pool"),
  );
  if (pool !== undefined && !isForced)
    refuse(
      `${pool.name} is a thin pool, whose own metadata do not go back with the group`,
      "force restores the group all the same",
    );
}

function newestSeqno({ areas }: PvScan): number {
  return Math.max(0, ...areas.map(({ copy }) => copy?.identity.seqno ?? 0));
}

function isUnmarked({ label }: PvScan): boolean {
  return ((label.extension?.flags ?? 0) & 1) === 0;
}

function backupMembers(
  session: Session,
  backup: VolumeGroup,
  found: AssembledGroup | null,
): readonly PvScan[] {
  return backup.physicalVolumes.map(({ uuid, size, deviceHint }) => {
    const alike = session.scans.filter(({ label }) => dashUuid(label.uuid) === uuid);
    const own = alike.filter((one) => session.ownerOf(one) === found);
    const candidates = own.length > 0 ? own : alike;
    const [scan, other] = candidates;
    if (other !== undefined)
      throw new CevError("CEV_AMBIGUOUS", `several devices are the physical volume ${uuid}`, {
        hint: `leave all but one out: ${candidates.map(({ source }) => source.name).join(", ")}`,
      });
    if (scan === undefined)
      throw new CevError(
        "CEV_DEGRADED",
        `the physical volume ${uuid} of the backup is not here (it was ${deviceHint})`,
        {
          hint: "pvcreate with this UUID and this backup makes it on a new device",
        },
      );
    const owner = session.ownerOf(scan);
    if (owner !== null && owner !== found)
      throw new CevError(
        "CEV_BUSY",
        `${scan.source.name} belongs to the volume group ${owner.group.name} now`,
      );
    if (scan.source.size < size)
      refuse(`${scan.source.name} has ${scan.source.size} bytes, fewer than the ${size} of the backup`);
    return scan;
  });
}

/** A text with the same group in all areas, also in damaged ones: `vgck --updatemetadata`. */
export async function updateMetadata(
  session: Session,
  request: { readonly command: "vgck"; readonly group?: string | undefined },
): Promise<CommandResult> {
  const found = session.findChangeable(request.group, { missing: true, exported: true });
  const text = makeText(session, found.group, found.group.seqno, describeRequest(request));
  const scans = session.membersOf(found);
  const plan = planCommit({ scans, text: text.text, isRepairing: true });
  const performance = new Performance(session);
  await performance.archive(() => archivedText(session, request, found));
  await performance.commit(plan);
  await performance.write(markWrites(session, scans.filter(isUnmarked), true));
  const outdated = outdatedMembers(session, found.group);
  await performance.write(
    outdated.flatMap(({ source, label }) =>
      label.metadataAreas.map((area, index) =>
        onDevice(session, source.name, clearedArea(area), `header of metadata area ${index}`),
      ),
    ),
  );
  await performance.write(markWrites(session, outdated, false));
  return resultOf(request, performance, {
    group: found.group.name,
    seqnoBefore: found.group.seqno,
    seqnoAfter: text.group.seqno,
    text: text.text,
    messages: [`Volume group "${found.group.name}" written to all its metadata areas`],
  });
}

/** Devices with an older text of the group that does not list them any more. */
function outdatedMembers(session: Session, group: VolumeGroup): readonly PvScan[] {
  return session.scans.filter(
    (scan) =>
      session.ownerOf(scan) === null &&
      scan.areas.some(({ copy }) => copy?.identity.uuid === group.uuid && copy.identity.seqno <= group.seqno),
  );
}
