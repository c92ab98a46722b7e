import { CevError, isCevError, readBytes } from "@cev/core";
import type { Layer } from "@cev/core";
import { isLuks, luksHeaderRestore, luksUuid } from "@cev/crypt";
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
    const after = await uuidOf(backup.layer, session.common(backup));
    if (after === null)
      throw new CevError("CEV_BAD_METADATA", "this is no backup of a LUKS header", { source: path });
    await confirm(session.keys, restoreWarning(target.name, before, after), options);
    await luksHeaderRestore(layer, { ...common, backup: sourceOf(backup), allowForeign: true });
    session.answer(`The header of ${word} is that of ${path} again.`, {
      command: "luksHeaderRestore",
      device: word,
      file: path,
      uuid: after,
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

function restoreWarning(name: string, before: HeaderBefore, after: string): string {
  if (before === null)
    return `${name} has no LUKS header. Putting one there can destroy what the device carries.`;
  if ("problem" in before)
    return `${name} has no LUKS header that can be used (${before.problem}). Putting one there destroys what is left of it, and what else is in its place.`;
  const { uuid } = before;
  const other = uuid === after ? "" : ` Its UUID is ${uuid}, and that of the backup is ${after}.`;
  return `All keyslots of ${name} will be replaced by those of the backup, and their passphrases with them.${other}`;
}

/** What a device has where the header goes: one, one that cannot be used, or none. */
type HeaderBefore = { readonly uuid: string } | { readonly problem: string } | null;

/** One that cannot be used is no reason to refuse: a backup is for that. */
async function headerBefore(lower: Layer, common: Common): Promise<HeaderBefore> {
  try {
    const uuid = await uuidOf(lower, common);
    return uuid === null ? null : { uuid };
  } catch (error) {
    if (isCevError(error) && UNUSABLE.has(error.code)) return { problem: error.message };
    throw error;
  }
}

const UNUSABLE: ReadonlySet<string> = new Set(["CEV_BAD_METADATA", "CEV_UNKNOWN_FEATURE", "CEV_AMBIGUOUS"]);

/** The UUID in a header that can be read. */
async function uuidOf(lower: Layer, common: Common): Promise<string | null> {
  if (!(await isLuks(lower, common))) return null;
  return luksUuid(lower, common);
}
