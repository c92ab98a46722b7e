import type { AssembledGroup } from "../assemble/assemble.ts";
import { planCommit } from "../disk/commit-plan.ts";
import { encodeGroupText } from "../model/encode-group.ts";
import type { VolumeGroup } from "../model/group.ts";
import type { ChangeInputs, GroupChange } from "./change.ts";
import { markMissing } from "./change-group.ts";
import type { ArchivedText, CommandResult, CommandRow } from "./context.ts";
import { Performance, makeText } from "./perform.ts";
import type { NewText } from "./perform.ts";
import type { CommandRequest } from "./request.ts";
import type { Session, Tolerance } from "./session.ts";

/** What a command says at its end, beside what was written. */
export interface Outcome {
  readonly group?: string | null;
  readonly seqnoBefore?: number | null;
  readonly seqnoAfter?: number | null;
  readonly messages?: readonly string[];
  readonly warnings?: readonly string[];
  readonly text?: string | null;
  readonly rows?: readonly CommandRow[];
}

/** The result of a command. */
export function resultOf(request: CommandRequest, performance: Performance, outcome: Outcome): CommandResult {
  return {
    command: request.command,
    isDryRun: performance.isDryRun,
    group: outcome.group ?? null,
    seqnoBefore: outcome.seqnoBefore ?? null,
    seqnoAfter: outcome.seqnoAfter ?? null,
    messages: outcome.messages ?? [],
    warnings: [...(outcome.warnings ?? []), ...performance.warnings],
    writes: performance.writes,
    text: outcome.text ?? null,
    rows: outcome.rows ?? [],
  };
}

/** The text in force, for the archive, laid out as LVM2's backups are. */
export function archivedText(
  session: Session,
  request: CommandRequest,
  { group }: AssembledGroup,
): ArchivedText {
  const what = session.context.description ?? describeRequest(request);
  const text = backupText(session, group, `Created *before* executing '${what}'`);
  return { group: group.name, uuid: group.uuid, seqno: group.seqno, text };
}

/** A group as a file that `vgcfgrestore` takes. */
export function backupText(session: Session, group: VolumeGroup, description: string): string {
  const { hostname, now } = session.inputs;
  return encodeGroupText(group, { description, creationHost: hostname, creationTime: now }, "file");
}

/** In a few words, for the text: `lvcreate root`. */
export function describeRequest(request: CommandRequest): string {
  const named = ["name", "volume", "volumes", "newName", "snapshot", "devices"].flatMap((key): string[] => {
    const value = (request as unknown as Readonly<Record<string, unknown>>)[key];
    if (typeof value === "string") return [value];
    return Array.isArray(value) ? value.map(String) : [];
  });
  return ["cev lvm", request.command, ...named].join(" ");
}

/** The group as it is to be written: what is not here is marked as missing, as LVM2 does. */
export function asWritten(session: Session, found: AssembledGroup, group: VolumeGroup): VolumeGroup {
  const here = new Set(session.namesOf(found).values());
  const missing = found.group.physicalVolumes.filter(({ uuid }) => !here.has(uuid)).map(({ uuid }) => uuid);
  return missing.length === 0 ? group : markMissing(group, new Set(missing));
}

/** A change of a group's text and, before it counts, of the free extents it takes. */
export async function commitChange(
  session: Session,
  request: CommandRequest,
  change: (group: VolumeGroup, inputs: ChangeInputs) => GroupChange,
  tolerance: Tolerance = {},
): Promise<CommandResult> {
  const found = session.findChangeable("group" in request ? request.group : undefined, tolerance);
  const changed = change(found.group, session.inputsFor(found));
  const performance = new Performance(session);
  const text = nextText(session, request, found, changed.group);
  // Whatever could be refused is refused before anything is written.
  const plan = planCommit({ scans: session.membersOf(found), text: text.text });
  await performance.archive(() => archivedText(session, request, found));
  await performance.fill(found, changed.fills);
  await performance.commit(plan);
  const { messages, warnings } = changed;
  return resultOf(request, performance, { ...outcomeOf(found, text), messages, warnings });
}

/** The next text of a group that is here. */
export function nextText(
  session: Session,
  request: CommandRequest,
  found: AssembledGroup,
  group: VolumeGroup,
): NewText {
  return makeText(session, asWritten(session, found, group), found.group.seqno, describeRequest(request));
}

/** What every change of a group says. */
export function outcomeOf(
  found: AssembledGroup,
  { text, group }: NewText,
): Outcome & { readonly group: string } {
  return {
    group: group.name,
    seqnoBefore: found.group.seqno,
    seqnoAfter: group.seqno,
    text,
  };
}
