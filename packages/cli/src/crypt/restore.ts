import { CevError, readBytes } from "@cev/core";
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
    const before = await uuidOf(layer, common);
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

function restoreWarning(name: string, before: string | null, after: string): string {
  if (before === null)
    return `${name} has no LUKS header. Putting one there can destroy what the device carries.`;
  const other = before === after ? "" : ` Its UUID is ${before}, and that of the backup is ${after}.`;
  return `All keyslots of ${name} will be replaced by those of the backup, and their passphrases with them.${other}`;
}

/** The UUID in a header that can be read. */
async function uuidOf(lower: Layer, common: Common): Promise<string | null> {
  if (!(await isLuks(lower, common))) return null;
  return luksUuid(lower, common);
}
