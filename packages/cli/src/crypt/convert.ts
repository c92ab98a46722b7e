import { luksConvert } from "@cev/crypt";
import { ExitStatus } from "../exit-status.ts";
import { UsageError } from "../usage-error.ts";
import { confirm } from "./confirm.ts";
import type { KeyOptions } from "./crypt-options.ts";
import { parseType } from "./parse.ts";
import { inSession } from "./session.ts";

/** `cev crypt convert`. */
export async function convert(word: string, options: KeyOptions): Promise<ExitStatus> {
  const to = parseType(options.type);
  if (to === null) throw new UsageError("say what it is to become: --type luks1 or --type luks2");
  await inSession(options, async (session) => {
    await using target = await session.openHeader(word, { isReadOnly: false });
    const common = session.common(target);
    await confirm(
      session.keys,
      `${target.name} will have a LUKS${to} header. A backup made before keeps what is there now: cev crypt luksHeaderBackup.`,
      options,
    );
    await luksConvert(target.layer, { ...common, to });
    session.answer(`${word} has a LUKS${to} header.`, { command: "convert", device: word, version: to });
  });
  return ExitStatus.done;
}
