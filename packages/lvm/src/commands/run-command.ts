import { isCevError } from "@cev/core";
import { updateMetadata, vgcfgbackup, vgcfgrestore } from "./backup.ts";
import { changeGroup, exportGroup, importGroup, renameGroup } from "./change-group.ts";
import { commitIdentity } from "./change-identity.ts";
import { changeVolume, renameVolume } from "./change-volume.ts";
import { checkGroups, faultRow } from "./check-group.ts";
import type { CommandContext, CommandResult } from "./context.ts";
import { createVolume } from "./create-volume.ts";
import { importClone } from "./import-clone.ts";
import { list } from "./list.ts";
import { mergeSnapshot } from "./merge-snapshot.ts";
import { archivedText, commitChange, nextText, outcomeOf, resultOf } from "./outcome.ts";
import { Performance } from "./perform.ts";
import { removeVolumes } from "./remove-volume.ts";
import type { CommandRequest, VgChangeRequest, VgCheckRequest } from "./request.ts";
import { resizeVolume } from "./resize-volume.ts";
import { vgcreate, vgextend, vgreduce, vgremove } from "./run-group-commands.ts";
import { pvchange, pvcreate, pvremove, pvresize } from "./run-pv-commands.ts";
import { Session } from "./session.ts";

/**
 * Runs one of LVM2's commands on devices. They are looked at anew each time; what cannot be understood in full is not changed; whatever
 * is refused is refused before the first write. A power cut at any write leaves the group as it was or as it is to be. Throws
 * a `CevError`.
 */
export async function runCommand(context: CommandContext, request: CommandRequest): Promise<CommandResult> {
  if (request.command === "vgck") return check(context, request);
  if (request.command === "vgimportclone") return importClone(context, request);
  const session = await Session.open(context, request.command === "vgcfgrestore");
  switch (request.command) {
    case "pvcreate":
      return pvcreate(session, request);
    case "pvremove":
      return pvremove(session, request);
    case "pvresize":
      return pvresize(session, request);
    case "pvchange":
      return pvchange(session, request);
    case "vgcreate":
      return vgcreate(session, request);
    case "vgremove":
      return vgremove(session, request);
    case "vgextend":
      return vgextend(session, request);
    case "vgreduce":
      return vgreduce(session, request);
    case "vgrename": {
      const others = session.groups.map(({ group }) => group.name);
      return commitChange(session, request, (group) => renameGroup(group, request.newName, others));
    }
    case "vgchange":
      return vgchange(session, request);
    case "vgexport":
      return commitChange(session, request, exportGroup);
    case "vgimport":
      return commitChange(session, request, importGroup, { exported: true, missing: request.force === true });
    case "vgcfgbackup":
      return vgcfgbackup(session, request);
    case "vgcfgrestore":
      return vgcfgrestore(session, request);
    case "lvcreate":
      return commitChange(session, request, (group, inputs) => createVolume(group, request, inputs));
    case "lvextend":
    case "lvreduce":
    case "lvresize":
      return commitChange(session, request, (group, inputs) => resizeVolume(group, request, inputs));
    case "lvrename":
      return commitChange(session, request, (group) => renameVolume(group, request));
    case "lvremove":
      return commitChange(session, request, (group) => removeVolumes(group, request), { missing: true });
    case "lvchange":
      return commitChange(session, request, (group) => changeVolume(group, request));
    case "lvconvert":
      return mergeSnapshot(session, request);
    case "pvs":
    case "vgs":
    case "lvs":
      return resultOf(request, new Performance(session), { rows: list(session, request) });
  }
}

/** `vgchange`; a new UUID makes another group of it, which takes more steps. */
async function vgchange(session: Session, request: VgChangeRequest): Promise<CommandResult> {
  if (request.newUuid !== true)
    return commitChange(session, request, (group, inputs) => changeGroup(group, request, inputs));
  const found = session.findChangeable(request.group);
  const { group, messages } = changeGroup(found.group, request, session.inputs);
  const text = nextText(session, request, found, group);
  const performance = new Performance(session);
  await performance.archive(() => archivedText(session, request, found));
  await commitIdentity(session, performance, session.membersOf(found), text);
  return resultOf(request, performance, { ...outcomeOf(found, text), messages });
}

/** `vgck`: also what cannot be put together is an answer. */
async function check(context: CommandContext, request: VgCheckRequest): Promise<CommandResult> {
  if (request.updateMetadata === true) return updateMetadata(await Session.open(context), request);
  try {
    const session = await Session.open(context, true);
    const groups = request.group === undefined ? session.groups : [session.find(request.group)];
    return resultOf(request, new Performance(session), {
      group: groups.length === 1 ? groups[0]!.group.name : null,
      rows: checkGroups(session, groups),
    });
  } catch (error) {
    if (!isCevError(error) || error.code === "CEV_NOT_FOUND") throw error;
    return {
      command: "vgck",
      isDryRun: context.isDryRun === true,
      group: null,
      seqnoBefore: null,
      seqnoAfter: null,
      messages: [],
      warnings: [],
      writes: [],
      text: null,
      rows: [faultRow(error)],
    };
  }
}
