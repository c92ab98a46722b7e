import { CevError } from "@cev/core";
import { parsePlainSize } from "../allocate/sizes.ts";
import { LABEL_SECTOR_COUNT } from "../disk/label.ts";
import { labelWrite, lastAreaOf, layoutOf, removalWrites } from "../disk/pv-layout.ts";
import type { PvScan } from "../disk/scan.ts";
import { SECTOR } from "../disk/bytes.ts";
import { planCommit } from "../disk/commit-plan.ts";
import { dashUuid } from "../disk/uuid.ts";
import { TextError } from "../text/parser.ts";
import { decodeGroup, identifyGroup } from "../model/group.ts";
import type { VolumeGroup } from "../model/group.ts";
import { refuse } from "./change.ts";
import { changeMembers, resizeMember } from "./change-group.ts";
import type { CommandResult } from "./context.ts";
import { checkUnused, checkUuid, onDevice, preparePv } from "./new-members.ts";
import { archivedText, commitChange, nextText, outcomeOf, resultOf } from "./outcome.ts";
import type { Outcome } from "./outcome.ts";
import { Performance } from "./perform.ts";
import type { PvChangeRequest, PvCreateRequest, PvRemoveRequest, PvResizeRequest } from "./request.ts";
import type { Session } from "./session.ts";

/** `pvcreate`. */
export async function pvcreate(session: Session, request: PvCreateRequest): Promise<CommandResult> {
  const { devices } = request;
  if (devices.length === 0) refuse("no device is named");
  if (request.uuid !== undefined) {
    if (devices.length > 1) refuse("one UUID is for one device");
    const uuid = checkUuid(request.uuid);
    const other = session.scans.find(
      ({ label, source }) => dashUuid(label.uuid) === uuid && source.name !== devices[0],
    );
    if (other !== undefined) refuse(`${other.source.name} has the UUID ${uuid} already`);
  }
  const dataOffset = restoredOffset(request);
  const performance = new Performance(session);
  const prepared = [];
  for (const name of devices) prepared.push(await preparePv(session, name, request, dataOffset));
  for (const { rounds } of prepared) for (const round of rounds) await performance.write(round);
  return resultOf(request, performance, {
    messages: devices.map((name) => `Physical volume "${name}" successfully created.`),
  });
}

/** Where the data begin in the backup that the physical volume is made anew for. */
function restoredOffset({ restoreText, uuid }: PvCreateRequest): number | undefined {
  if (restoreText === undefined) return undefined;
  if (uuid === undefined) return refuse("a backup is of use with the UUID of one of its physical volumes");
  const volume = decodeBackup(restoreText).physicalVolumes.find((one) => one.uuid === uuid);
  return volume?.dataOffset ?? refuse(`the backup does not list the physical volume ${uuid}`);
}

/** The group of a backup. Throws `CEV_BAD_METADATA` with line and column. */
export function decodeBackup(text: string): VolumeGroup {
  try {
    return decodeGroup(identifyGroup(text));
  } catch (error) {
    if (!(error instanceof TextError)) throw error;
    throw new CevError("CEV_BAD_METADATA", error.message, { source: "the backup", cause: error });
  }
}

/** `pvremove`. */
export async function pvremove(session: Session, request: PvRemoveRequest): Promise<CommandResult> {
  const { devices } = request;
  if (devices.length === 0) refuse("no device is named");
  for (const name of devices) {
    const scan = session.scanOf(name);
    if (scan !== null) checkUnused(session, scan, request.force === true);
    else if (session.damaged.has(name) && request.force !== true)
      throw new CevError("CEV_BUSY", `the label of ${name} is damaged: what it belongs to is not known`, {
        hint: "force removes it",
      });
    else if (!session.damaged.has(name))
      throw new CevError("CEV_NOT_FOUND", `${session.device(name).name} is no physical volume`);
  }
  const performance = new Performance(session);
  for (const name of devices) {
    const bytes = await session.device(name).read(0, LABEL_SECTOR_COUNT * SECTOR);
    await performance.write(removalWrites(bytes).map((write) => onDevice(session, name, write, "label")));
  }
  return resultOf(request, performance, {
    messages: devices.map((name) => `Labels on physical volume "${name}" successfully wiped.`),
  });
}

/** The scan of a device that is a physical volume. Throws `CEV_NOT_FOUND`. */
function pvScan(session: Session, name: string): PvScan {
  const scan = session.scanOf(name);
  if (scan !== null) return scan;
  const damage = session.damaged.get(name);
  if (damage !== undefined) throw damage;
  throw new CevError("CEV_NOT_FOUND", `${session.device(name).name} is no physical volume`);
}

/** `pvresize`: one device after the other, each as a whole. */
export async function pvresize(session: Session, request: PvResizeRequest): Promise<CommandResult> {
  const [name, ...others] = request.devices;
  if (name === undefined || others.length > 0) return refuse("physical volumes are resized one at a time");
  const scan = pvScan(session, name);
  const device = session.device(name);
  const wanted = request.setSize === undefined ? device.size : parsePlainSize(request.setSize, "the size");
  const size = wanted - (wanted % SECTOR);
  if (size > device.size) refuse(`${name} has ${device.size} bytes, fewer than ${size}`);
  const layout = layoutOf(scan.label);
  if (lastAreaOf(layout) !== null)
    throw new CevError(
      "CEV_NOT_SUPPORTED",
      `${name} has a metadata area at its end, which would have to move`,
      {
        hint: "take it out of its group with vgreduce, and make it anew with pvcreate",
      },
    );
  if (size <= layout.dataOffset)
    refuse(`${size} bytes end before the data begin at byte ${layout.dataOffset}`);
  const performance = new Performance(session);
  const label = onDevice(session, name, labelWrite({ ...scan.label, deviceSize: size }), "label");
  const owner = session.ownerOf(scan);
  let outcome: Outcome = { messages: [`Physical volume "${name}" changed`] };
  if (owner !== null) {
    session.checkChangeable(owner);
    const [volume] = session.membersNamed(owner, [name]);
    const change = resizeMember(owner.group, volume!, size);
    const text = nextText(session, request, owner, change.group);
    const plan = planCommit({ scans: session.membersOf(owner), text: text.text });
    await performance.archive(() => archivedText(session, request, owner));
    await performance.commit(plan);
    outcome = { ...outcomeOf(owner, text), messages: change.messages };
  }
  // The group says what counts; the label repeats it.
  await performance.write([label]);
  return resultOf(request, performance, outcome);
}

/** `pvchange` of members of one group: tags, and whether new extents may lie there. */
export async function pvchange(session: Session, request: PvChangeRequest): Promise<CommandResult> {
  const owners = new Set(request.devices.map((name) => session.ownerOf(pvScan(session, name))));
  const [owner] = owners;
  if (owner === undefined) return refuse("no device is named");
  if (owners.size > 1) return refuse("the physical volumes belong to several groups");
  if (owner === null)
    return refuse(`${request.devices.join(", ")}: of no group, so there is nothing to change`);
  return commitChange(session, { ...request, group: owner.displayName }, (group) =>
    changeMembers(group, session.membersNamed(owner, request.devices), request),
  );
}
