import { isLuks, luksConfig, luksRepair, luksUuid } from "@cev/crypt";
import type { KeyslotPriority } from "@cev/crypt";
import { ExitStatus } from "../exit-status.ts";
import { UsageError } from "../usage-error.ts";
import { confirm } from "./confirm.ts";
import type { KeyOptions } from "./crypt-options.ts";
import { withoutUndefined } from "./without-undefined.ts";
import { parseType, parseWhole } from "./parse.ts";
import { inSession, onHeader } from "./session.ts";

export interface UuidOptions extends KeyOptions {
  readonly uuid?: string;
}

export interface ConfigOptions extends KeyOptions {
  readonly label?: string;
  readonly subsystem?: string;
  readonly keySlot?: string;
  readonly priority?: string;
  readonly flags?: string;
}

/** `cev crypt luksUUID`. */
export async function uuid(word: string, options: UuidOptions): Promise<ExitStatus> {
  await onHeader(word, options, options.uuid === undefined, async (lower, session, common) => {
    const { keys } = session;
    if (options.uuid !== undefined)
      await confirm(
        keys,
        `Whatever names ${word} by its UUID (fstab, crypttab) will not find it any more.`,
        options,
      );
    const now = await luksUuid(lower, { ...common, ...withoutUndefined({ uuid: options.uuid }) });
    // What was asked for is printed whatever the mode.
    session.answer(now, { command: "luksUUID", device: word, uuid: now }, true);
  });
  return ExitStatus.done;
}

/** `cev crypt isLuks`: tells by its exit status. */
export async function testLuks(word: string, options: KeyOptions): Promise<ExitStatus> {
  const version = parseType(options.type);
  let isThere = false;
  await inSession(options, async (session) => {
    await using target = await session.openHeader(word, { isReadOnly: true });
    isThere = await isLuks(target.layer, {
      ...session.common(target),
      ...(version === null ? {} : { version }),
    });
    session.answer(null, { command: "isLuks", device: word, isLuks: isThere });
  });
  return isThere ? ExitStatus.done : ExitStatus.failed;
}

/** `cev crypt config`. */
export async function config(word: string, options: ConfigOptions): Promise<ExitStatus> {
  const { label, subsystem, priority, flags } = options;
  if ([label, subsystem, priority, flags].every((one) => one === undefined))
    throw new UsageError("say what is to change: --label, --subsystem, --priority or --flags");
  const keyslot = parseWhole(options.keySlot, "--key-slot", { min: 0, max: 31 });
  if ((priority === undefined) !== (keyslot === undefined))
    throw new UsageError("--priority and --key-slot belong together");
  await onHeader(word, options, false, async (lower, session, common) => {
    const change = withoutUndefined({
      label,
      subsystem,
      flags: flags === undefined ? undefined : flagsOf(flags),
      keyslot,
      priority: priority as KeyslotPriority | undefined,
    });
    await luksConfig(lower, { ...common, ...change });
    session.answer(`The header of ${word} is changed.`, {
      command: "config",
      device: word,
      ...change,
    });
  });
  return ExitStatus.done;
}

/** "none" takes all away. */
const flagsOf = (text: string): readonly string[] =>
  text === "none" ? [] : text.split(",").filter((flag) => flag !== "");

/** `cev crypt repair`: says what is wrong, and asks. */
export async function repair(word: string, options: UuidOptions): Promise<ExitStatus> {
  const version = parseType(options.type);
  const choice = withoutUndefined({ version: version ?? undefined, uuid: options.uuid });
  await inSession(options, async (session) => {
    await using target = await session.openHeader(word, { isReadOnly: false });
    const settings = { ...session.common(target), ...choice };
    const planned = await luksRepair(target.layer, { ...settings, isDryRun: true });
    if (planned.length > 0)
      await confirm(
        session.keys,
        `The header of ${target.name} will be repaired: ${planned.join("; ")}. A copy of the image made before keeps what is there now.`,
        options,
      );
    const repairs = planned.length === 0 ? [] : await luksRepair(target.layer, settings);
    const lines = repairs.length === 0 ? ["Nothing was wrong."] : repairs;
    session.answer(lines.join("\n"), { command: "repair", device: word, repairs });
  });
  return ExitStatus.done;
}
