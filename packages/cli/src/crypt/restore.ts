import { CevError, isCevError, readBytes } from "@cev/core";
import type { Layer } from "@cev/core";
import { isLuks, luksDump, luksHeaderRestore } from "@cev/crypt";
import type { LuksHeaderRestoreOptions } from "@cev/crypt";
import { ExitStatus } from "../exit-status.ts";
import type { BackupOptions } from "./backup.ts";
import { confirm } from "./confirm.ts";
import { inSession } from "./session.ts";
import type { Common } from "./session.ts";
import type { Target } from "./target.ts";

/** `cev crypt luksHeaderRestore`. */
export async function headerRestore(word: string, options: BackupOptions): Promise<ExitStatus> {
  const path = options.headerBackupFile;
  await inSession(options, async (session) => {
    await using target = await session.openHeader(word, { isReadOnly: false });
    await using backup = await session.openFile(path, { isReadOnly: true });
    const common = session.common(target);
    const { layer } = target;
    const before = await headerBefore(layer, common);
    const after = await headerOf(backup.layer, session.common(backup));
    if (after === null)
      throw new CevError("CEV_BAD_METADATA", "this is no backup of a LUKS header", { source: path });
    await confirm(session.keys, restoreWarning(target.name, before, after), options);
    await luksHeaderRestore(layer, { ...common, backup: sourceOf(backup), allowForeign: true });
    session.answer(`The header of ${word} is that of ${path} again.`, {
      command: "luksHeaderRestore",
      device: word,
      file: path,
      uuid: after.uuid,
    });
  });
  return ExitStatus.done;
}

/** The backup, as what its bytes are read from. */
function sourceOf({ name, layer, environment }: Target): LuksHeaderRestoreOptions["backup"] {
  return {
    name,
    size: layer.limits.size,
    read: (offset, length) => readBytes(layer, environment, offset, length),
  };
}

function restoreWarning(name: string, before: HeaderBefore, after: FoundHeader): string {
  if (before === null)
    return `${name} has no LUKS header. Putting one there can destroy what the device carries.`;
  if ("problem" in before)
    return `${name} has no LUKS header that can be used (${before.problem}). Putting one there destroys what is left of it, and what else is in its place.`;
  const sentences = [
    `All keyslots of ${name} will be replaced by those of the backup, and their passphrases with them.`,
  ];
  if (before.uuid !== after.uuid)
    sentences.push(`Its UUID is ${before.uuid}, and that of the backup is ${after.uuid}.`);
  if (before.version !== after.version)
    sentences.push(`It is LUKS${before.version}, and the backup LUKS${after.version}.`);
  if (before.dataOffset !== after.dataOffset)
    sentences.push(
      `Its data begins at byte ${before.dataOffset}, and with the backup at byte ${after.dataOffset}: nothing that is there now will be readable.`,
    );
  return sentences.join(" ");
}

/** What tells one header from another. */
interface FoundHeader {
  readonly uuid: string;
  readonly version: 1 | 2;
  /** Bytes. */
  readonly dataOffset: number;
}

/** What a device has where the header goes: one, one that cannot be used, or none. */
type HeaderBefore = FoundHeader | { readonly problem: string } | null;

/** One that cannot be used is no reason to refuse: a backup is for that. */
async function headerBefore(lower: Layer, common: Common): Promise<HeaderBefore> {
  try {
    return await headerOf(lower, common);
  } catch (error) {
    if (isCevError(error) && UNUSABLE.has(error.code)) return { problem: error.message };
    throw error;
  }
}

const UNUSABLE: ReadonlySet<string> = new Set(["CEV_BAD_METADATA", "CEV_UNKNOWN_FEATURE", "CEV_AMBIGUOUS"]);

/** Null: there is none. */
async function headerOf(lower: Layer, common: Common): Promise<FoundHeader | null> {
  if (!(await isLuks(lower, common))) return null;
  const dump = await luksDump(lower, common);
  const dataOffset = dump.version === 1 ? dump.payloadOffset : (dump.segments[0]?.offset ?? 0);
  return { uuid: dump.uuid, version: dump.version, dataOffset };
}
