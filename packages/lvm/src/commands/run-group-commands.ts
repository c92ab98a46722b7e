import { CevError } from "@cev/core";
import { parsePlainSize } from "../allocate/sizes.ts";
import type { AssembledGroup } from "../assemble/assemble.ts";
import { clearedArea } from "../disk/pv-layout.ts";
import { planCommit } from "../disk/commit-plan.ts";
import type { AreaScan, PvScan } from "../disk/scan.ts";
import { dashUuid } from "../disk/uuid.ts";
import { allocationText, refuse } from "./change.ts";
import type { GroupChange } from "./change.ts";
import { createGroup, extendGroup, restoreMissing } from "./change-group.ts";
import type { CommandResult } from "./context.ts";
import { markWrites, memberOf, onDevice, prepareMembers } from "./new-members.ts";
import { archivedText, commitChange, describeRequest, nextText, outcomeOf, resultOf } from "./outcome.ts";
import { Performance, makeText } from "./perform.ts";
import type { DeviceWrite } from "./perform.ts";
import { emptyMembers, reduceGroup, removeMissing } from "./reduce-group.ts";
import type { VgCreateRequest, VgExtendRequest, VgReduceRequest, VgRemoveRequest } from "./request.ts";
import type { Session } from "./session.ts";

const EXTENT_SIZE = 4 * 1024 * 1024;

/** `vgcreate`. */
export async function vgcreate(session: Session, request: VgCreateRequest): Promise<CommandResult> {
  if (session.groups.some(({ group }) => group.name === request.group))
    refuse(`a volume group called ${request.group} already exists`, "choose another name");
  const prepared = await prepareMembers(session, request.devices, request);
  const { group, messages } = createGroup(
    {
      name: request.group,
      extentSize:
        request.extentSize === undefined
          ? EXTENT_SIZE
          : parsePlainSize(request.extentSize, "the extent size"),
      members: prepared.map(memberOf),
      allocation: allocationText(request.alloc, "normal") ?? "",
      tags: request.tags ?? [],
      logicalVolumesMax: request.logicalVolumesMax ?? 0,
      physicalVolumesMax: request.physicalVolumesMax ?? 0,
    },
    session.inputs,
  );
  const text = makeText(session, group, 0, describeRequest(request));
  const scans = prepared.map(({ scan }) => scan);
  // Whatever could be refused is refused before anything is written.
  const plan = planCommit({ scans, text: text.text });
  const performance = new Performance(session);
  for (const { rounds } of prepared) for (const round of rounds) await performance.write(round);
  await performance.commit(plan);
  await performance.write(markWrites(session, scans, true));
  return resultOf(request, performance, {
    group: group.name,
    seqnoAfter: text.group.seqno,
    text: text.text,
    messages: [
      ...prepared.flatMap(({ scan, rounds }) =>
        rounds.length > 0 ? [`Physical volume "${scan.source.name}" successfully created.`] : [],
      ),
      ...messages,
    ],
  });
}

/** `vgextend`, also `--restoremissing`. */
export async function vgextend(session: Session, request: VgExtendRequest): Promise<CommandResult> {
  if (request.restoreMissing === true) {
    const found = session.find(request.group);
    const volumes = session.membersNamed(found, request.devices);
    const absent = volumes.find(({ uuid }) => session.memberScan(found, uuid) === null);
    if (absent !== undefined)
      throw new CevError("CEV_NOT_FOUND", `the physical volume ${absent.uuid} is still missing`);
    return commitChange(session, request, (group) => restoreMissing(group, volumes), { missing: true });
  }
  const found = session.findChangeable(request.group);
  const prepared = await prepareMembers(session, request.devices, request);
  const change = extendGroup(found.group, prepared.map(memberOf));
  const added = prepared.map(({ scan }) => scan);
  const scans = [...session.membersOf(found), ...added];
  const text = nextText(session, request, found, change.group);
  const plan = planCommit({ scans, text: text.text });
  const performance = new Performance(session);
  await performance.archive(() => archivedText(session, request, found));
  for (const { rounds } of prepared) for (const round of rounds) await performance.write(round);
  await performance.commit(plan);
  await performance.write(markWrites(session, added, true));
  return resultOf(request, performance, { ...outcomeOf(found, text), messages: change.messages });
}

/** `vgreduce`, also `--all` and `--removemissing`. */
export async function vgreduce(session: Session, request: VgReduceRequest): Promise<CommandResult> {
  const found = session.findChangeable(request.group, { missing: request.removeMissing === true });
  const change = reduction(session, found, request);
  const kept = new Set(change.group.physicalVolumes.map(({ uuid }) => uuid));
  const gone = session.membersOf(found).filter(({ label }) => !kept.has(dashUuid(label.uuid)));
  const performance = new Performance(session);
  const text = nextText(session, request, found, change.group);
  const plan = planCommit({ scans: session.membersOf(found), text: text.text });
  await performance.archive(() => archivedText(session, request, found));
  await performance.commit(plan);
  await releaseMembers(session, performance, gone);
  const { messages, warnings } = change;
  return resultOf(request, performance, { ...outcomeOf(found, text), messages, warnings });
}

function reduction(session: Session, found: AssembledGroup, request: VgReduceRequest): GroupChange {
  const { group, members } = found;
  const names = request.devices ?? [];
  if (request.removeMissing === true) {
    if (names.length > 0 || request.all === true) refuse("with removeMissing no physical volume is named");
    // What is here, but marked as missing, is to be restored or removed by name.
    const missing = members.filter(({ state }) => state === "missing").map((member) => member.physicalVolume);
    return removeMissing(group, missing, request.force === true);
  }
  if (request.all !== true) return reduceGroup(group, session.membersNamed(found, names));
  if (names.length > 0) refuse("give either all, or names of physical volumes");
  const empty = emptyMembers(group);
  if (empty.length === 0) refuse(`every physical volume of the volume group ${group.name} is in use`);
  return reduceGroup(group, empty);
}

/** What left its group has no text any more and, after that, no mark: a cut in between leaves it out of date, not lost. */
export async function releaseMembers(
  session: Session,
  performance: Performance,
  scans: readonly PvScan[],
): Promise<void> {
  await performance.write(clearings(session, scans, () => true));
  await performance.write(markWrites(session, scans, false));
}

/** The headers of metadata areas, without a text. */
function clearings(
  session: Session,
  scans: readonly PvScan[],
  isWanted: (area: AreaScan) => boolean,
): readonly DeviceWrite[] {
  return scans.flatMap(({ source, areas }) =>
    areas
      .filter(isWanted)
      .map(({ area, index }) =>
        onDevice(session, source.name, clearedArea(area), `header of metadata area ${index}`),
      ),
  );
}

/** `vgremove`: as long as one area has the text the group is there; when the last is cleared it is gone. */
export async function vgremove(session: Session, request: VgRemoveRequest): Promise<CommandResult> {
  const found = session.findChangeable(request.group, { missing: true });
  const { group } = found;
  const count = group.logicalVolumes.length;
  if (count > 0 && request.force !== true)
    throw new CevError("CEV_BUSY", `the volume group ${group.name} contains ${count} logical volumes`, {
      hint: "force removes them, too",
    });
  const performance = new Performance(session);
  await performance.archive(() => archivedText(session, request, found));
  const scans = session.membersOf(found);
  // What is out of date must not be the last that is left: the group would be as it was then.
  await performance.write(
    clearings(session, scans, ({ copy }) => copy !== null && copy.identity.seqno < group.seqno),
  );
  await releaseMembers(session, performance, scans);
  return resultOf(request, performance, {
    group: group.name,
    seqnoBefore: group.seqno,
    messages: [`Volume group "${group.name}" successfully removed`],
    warnings: found.members
      .filter(({ state }) => state === "missing")
      .map(
        ({ physicalVolume }) => `the missing physical volume ${physicalVolume.uuid} still has the metadata`,
      ),
  });
}
