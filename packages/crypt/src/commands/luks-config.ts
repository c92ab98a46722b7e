import type { Layer } from "@cev/core";
import type { KeyslotPriority } from "../header/luks-volume.ts";
import { listOf } from "../luks2/edit-json.ts";
import type { HeaderNames } from "../luks2/editor.ts";
import { asJsonObject } from "../luks2/json-value.ts";
import type { JsonObject, JsonValue } from "../luks2/json-value.ts";
import { invalid } from "./command.ts";
import type { CommandOptions } from "./command.ts";
import { editLuks2 } from "./edit-luks2.ts";

/** Settings of `luksConfig`: what is left out stays as it is. */
export interface LuksConfigOptions extends Pick<CommandOptions, "environment" | "name"> {
  /** At most 47 bytes of UTF-8; empty takes it away. */
  readonly label?: string;
  readonly subsystem?: string;
  /** Whether the keyslot of the number below is tried first, in its turn, or only when asked for by number. */
  readonly priority?: KeyslotPriority;
  readonly keyslot?: number;
  /** The persistent flags, of `PERSISTENT_FLAGS`: all that shall be set. Flags that are not known here stay. */
  readonly flags?: readonly string[];
}

/** The flags that a LUKS2 header can carry for whoever opens it. cev itself follows `allow-discards`. */
export const PERSISTENT_FLAGS: readonly string[] = [
  "allow-discards",
  "same-cpu-crypt",
  "submit-from-crypt-cpus",
  "no-journal",
  "no-read-workqueue",
  "no-write-workqueue",
  "high_priority",
];

const NAME_LENGTH_MAX = 47;
const PRIORITY_NUMBERS: Readonly<Record<KeyslotPriority, number>> = { ignore: 0, normal: 1, prefer: 2 };

/** Changes settings in a LUKS2 header, in one update. Throws `CEV_INVALID` for what is not to be had, `CEV_NOT_SUPPORTED` for LUKS1. */
export async function luksConfig(lower: Layer, options: LuksConfigOptions): Promise<void> {
  const { label, subsystem, priority, keyslot, flags } = options;
  if ((priority === undefined) !== (keyslot === undefined))
    throw invalid("a priority goes with the number of a keyslot");
  checkName("label", label);
  checkName("subsystem", subsystem);
  for (const flag of flags ?? [])
    if (!PERSISTENT_FLAGS.includes(flag))
      throw invalid(`${JSON.stringify(flag)} is none of the flags ${PERSISTENT_FLAGS.join(", ")}`);
  const names: HeaderNames = {
    ...(label === undefined ? {} : { label }),
    ...(subsystem === undefined ? {} : { subsystem }),
  };
  const what = "labels, subsystems, priorities and flags";
  await editLuks2(lower, "luksConfig", { ...options, what }, (editor) =>
    editor.update((json) => {
      if (priority !== undefined && keyslot !== undefined) setPriority(json, keyslot, priority);
      if (flags !== undefined) setFlags(listOf(json, "config"), flags);
    }, names),
  );
}

function checkName(what: string, name: string | undefined): void {
  if (name === undefined) return;
  if (Buffer.byteLength(name) > NAME_LENGTH_MAX)
    throw invalid(`the ${what} is longer than ${NAME_LENGTH_MAX} bytes`);
  if (/\p{Cc}/u.test(name)) throw invalid(`the ${what} holds control characters`);
}

function setPriority(json: JsonObject, keyslot: number, priority: KeyslotPriority): void {
  const slot = asJsonObject(listOf(json, "keyslots")[keyslot]);
  if (slot === null) throw invalid(`there is no keyslot ${keyslot}`);
  slot["priority"] = PRIORITY_NUMBERS[priority];
}

function setFlags(config: JsonObject, flags: readonly string[]): void {
  const before: JsonValue[] = Array.isArray(config["flags"]) ? config["flags"] : [];
  const others = before.filter((flag) => typeof flag !== "string" || !PERSISTENT_FLAGS.includes(flag));
  config["flags"] = [...PERSISTENT_FLAGS.filter((flag) => flags.includes(flag)), ...others];
}
