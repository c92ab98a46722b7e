import { CevError } from "@cev/core";
import type { AssembledGroup } from "../assemble/assemble.ts";
import { planCommit } from "../disk/commit-plan.ts";
import { labelWrite } from "../disk/pv-layout.ts";
import type { PvScan } from "../disk/scan.ts";
import { dashUuid } from "../disk/uuid.ts";
import type { VolumeGroup } from "../model/group.ts";
import { checkName, refuse } from "./change.ts";
import { commitIdentity, rescan } from "./change-identity.ts";
import type { CommandContext, CommandResult } from "./context.ts";
import { derivedUuid } from "./derived-uuid.ts";
import { onDevice } from "./new-members.ts";
import { archivedText, describeRequest, resultOf } from "./outcome.ts";
import { Performance, makeText } from "./perform.ts";
import type { VgImportCloneRequest } from "./request.ts";
import { Session } from "./session.ts";

/**
 * `vgimportclone`: a clone of a group gets a name and UUIDs of its own. In steps that can each be taken up again: the group has a new
 * name and UUID; every physical volume's new UUID, which follows from its old one and the group's, is in its label; and then
 * in the text.
 */
export async function importClone(
  context: CommandContext,
  request: VgImportCloneRequest,
): Promise<CommandResult> {
  if (request.devices.length === 0) refuse("no device is named");
  const isClone = ({ name }: { readonly name: string }): boolean => request.devices.includes(name);
  const session = await Session.open({ ...context, devices: context.devices.filter(isClone) });
  for (const name of request.devices) session.device(name);
  const found = session.find(request.group);
  const half = halfDone(session, found);
  checkWhole(session, found, half);
  session.checkChangeable(found, { missing: half });
  const performance = new Performance(session);
  await performance.archive(() => archivedText(session, request, found));
  let { group } = found;
  const seqnoBefore = group.seqno;
  if (!half) {
    const name = await chooseName(context, group, request);
    const renamed = { ...group, name, uuid: session.inputs.newUuid() };
    const text = makeText(session, renamed, group.seqno, describeRequest(request));
    await commitIdentity(session, performance, session.scans, text);
    ({ group } = text);
  }
  const uuids = newUuids(group);
  await performance.write(
    session.scans.flatMap(({ label, source }) => {
      const uuid = uuids.get(dashUuid(label.uuid));
      if (uuid === undefined) return [];
      const write = labelWrite({ ...label, uuid: uuid.replaceAll("-", "") });
      return [onDevice(session, source.name, write, "label")];
    }),
  );
  const text = makeText(session, withUuids(group, uuids), group.seqno, describeRequest(request));
  const now = performance.isDryRun ? session : await rescan(session);
  const relabelled = now.scans.map((scan) => asRelabelled(scan, uuids, performance.isDryRun));
  await performance.commit(planCommit({ scans: relabelled, text: text.text }), now);
  return resultOf(request, performance, {
    group: group.name,
    seqnoBefore,
    seqnoAfter: text.group.seqno,
    text: text.text,
    messages: [`Volume group "${found.group.name}" is now "${group.name}", with UUIDs of its own`],
  });
}

/** By old UUID. */
function newUuids(group: VolumeGroup): ReadonlyMap<string, string> {
  const uuids = new Map(group.physicalVolumes.map(({ uuid }) => [uuid, derivedUuid(uuid, group.uuid)]));
  if (new Set(uuids.values()).size < uuids.size)
    throw new CevError("CEV_AMBIGUOUS", "two physical volumes would get the same UUID");
  return uuids;
}

function withUuids(group: VolumeGroup, uuids: ReadonlyMap<string, string>): VolumeGroup {
  return {
    ...group,
    physicalVolumes: group.physicalVolumes.map((volume) => ({
      ...volume,
      uuid: uuids.get(volume.uuid) ?? volume.uuid,
    })),
  };
}

/** In a dry run the labels are as they were, and the areas have the old text. */
function asRelabelled(scan: PvScan, uuids: ReadonlyMap<string, string>, isDryRun: boolean): PvScan {
  if (!isDryRun) return scan;
  const uuid = uuids.get(dashUuid(scan.label.uuid)) ?? scan.label.uuid;
  return {
    ...scan,
    label: { ...scan.label, uuid: uuid.replaceAll("-", "") },
    areas: scan.areas.map((area) => ({ ...area, copy: null })),
  };
}

/** True where an earlier run had begun with the labels: their UUIDs follow from those in the text. */
function halfDone(session: Session, { group }: AssembledGroup): boolean {
  const derived = new Set(newUuids(group).values());
  return session.scans.some(({ label }) => derived.has(dashUuid(label.uuid)));
}

function checkWhole(session: Session, { group }: AssembledGroup, half: boolean): void {
  const known = new Map<string, string>();
  for (const [old, derived] of newUuids(group)) {
    known.set(old, old);
    if (half) known.set(derived, old);
  }
  const here = new Set<string>();
  for (const { label, source } of session.scans) {
    const uuid = known.get(dashUuid(label.uuid));
    if (uuid === undefined) refuse(`${source.name} is no physical volume of the volume group ${group.name}`);
    here.add(uuid);
  }
  for (const [name] of session.damaged) refuse(`the label of ${name} is damaged`);
  const absent = group.physicalVolumes.find(({ uuid }) => !here.has(uuid));
  if (absent !== undefined)
    throw new CevError(
      "CEV_DEGRADED",
      `the clone is not whole: the physical volume ${absent.uuid} is missing`,
      {
        hint: "name the clones of all physical volumes",
      },
    );
}

/** LVM2's rule: the wanted name, or the group's own with the first number that gives a name nobody has. */
async function chooseName(
  context: CommandContext,
  group: VolumeGroup,
  { baseName, devices }: VgImportCloneRequest,
): Promise<string> {
  const others = await Session.open({
    ...context,
    devices: context.devices.filter(({ name }) => !devices.includes(name)),
    report: () => undefined,
  });
  const taken = new Set(others.groups.map((other) => other.group.name));
  const base = baseName ?? group.name;
  checkName(base, "volume group");
  if (baseName !== undefined && !taken.has(base)) return base;
  for (let number = 1; ; number++) {
    const name = `${base}${number}`;
    if (taken.has(name)) continue;
    checkName(name, "volume group");
    return name;
  }
}
