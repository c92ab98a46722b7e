import { CevError } from "@cev/core";
import type { AssembledGroup } from "../assemble/assemble.ts";
import { planCommit } from "../disk/commit-plan.ts";
import { derivedUuid } from "../disk/derived-uuid.ts";
import { labelWrite } from "../disk/pv-layout.ts";
import type { PvScan } from "../disk/scan.ts";
import type { VolumeGroup } from "../model/group.ts";
import { checkName, refuse } from "./change.ts";
import { commitIdentity, rescan } from "./change-identity.ts";
import type { CommandContext, CommandResult } from "./context.ts";
import { onDevice } from "./new-members.ts";
import { archivedText, describeRequest, resultOf } from "./outcome.ts";
import { Performance, makeText } from "./perform.ts";
import type { VgImportCloneRequest } from "./request.ts";
import { Session } from "./session.ts";

/**
 * `vgimportclone`: a clone of a group gets a name and UUIDs of its own. A label and a text cannot change in one step; so the group gets
 * its name and UUID first, and then one physical volume after the other a new UUID, in its label and at once in the text. That UUID
 * follows from the old one and the group's: whoever opens the group in between knows the physical volume all the same, and
 * asked for again the command goes on where it was.
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
  checkWhole(session, found);
  session.checkChangeable(found, { halfImported: true });
  const half = session.halfImportedIndex(found);
  const performance = new Performance(session);
  await performance.archive(() => archivedText(session, request, found));
  let { group } = found;
  let last = "";
  const scans = new Map(
    group.physicalVolumes.map(({ name, uuid }) => [name, session.memberScan(found, uuid)!]),
  );
  if (half < 0) {
    const name = await chooseName(context, group, request);
    const renamed = { ...group, name, uuid: session.inputs.newUuid() };
    const text = makeText(session, renamed, group.seqno, describeRequest(request));
    await commitIdentity(session, performance, session.scans, text);
    ({ group } = text);
  }
  for (let index = Math.max(0, half); index < group.physicalVolumes.length; index++) {
    const volume = group.physicalVolumes[index]!;
    const uuid = derivedUuid(volume.uuid, group.uuid);
    const scan = scans.get(volume.name)!;
    const label = { ...scan.label, uuid: uuid.replaceAll("-", "") };
    if (index > half)
      await performance.write([onDevice(session, scan.source.name, labelWrite(label), "label")]);
    scans.set(volume.name, { ...scan, label });
    const physicalVolumes = group.physicalVolumes.with(index, { ...volume, uuid });
    const text = makeText(session, { ...group, physicalVolumes }, group.seqno, describeRequest(request));
    const now = performance.isDryRun ? session : await rescan(session);
    const plan = planCommit({
      scans: performance.isDryRun ? [...scans.values()].map(withoutCopies) : now.scans,
      text: text.text,
    });
    await performance.commit(plan, now);
    ({ group } = text);
    last = text.text;
  }
  return resultOf(request, performance, {
    group: group.name,
    seqnoBefore: found.group.seqno,
    seqnoAfter: group.seqno,
    text: last,
    messages: [`Volume group "${found.group.name}" is now "${group.name}", with UUIDs of its own`],
  });
}

/** In a dry run the areas still have the old text, of another group. */
function withoutCopies(scan: PvScan): PvScan {
  return { ...scan, areas: scan.areas.map((area) => ({ ...area, copy: null })) };
}

function checkWhole(session: Session, found: AssembledGroup): void {
  const { group } = found;
  for (const [name] of session.damaged) refuse(`the label of ${name} is damaged`);
  const absent = group.physicalVolumes.find(({ uuid }) => session.memberScan(found, uuid) === null);
  if (absent !== undefined)
    throw new CevError(
      "CEV_DEGRADED",
      `the clone is not whole: the physical volume ${absent.uuid} is missing`,
      { hint: "name the clones of all physical volumes" },
    );
  const members = session.membersOf(found);
  const stranger = session.context.devices.find(({ name }) =>
    members.every(({ source }) => source.name !== name),
  );
  if (stranger !== undefined)
    refuse(`${stranger.name} is no physical volume of the volume group ${group.name}`);
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
