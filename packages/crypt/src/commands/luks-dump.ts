import type { Layer } from "@cev/core";
import { headerSourceOf } from "../header/header-device.ts";
import { readLuks1Dump } from "../luks1/describe.ts";
import type { Luks1Dump } from "../luks1/describe.ts";
import { luksVersionAtStart } from "../luks2/copies.ts";
import { readLuks2Dump } from "../luks2/describe.ts";
import type { Luks2Dump } from "../luks2/describe.ts";
import type { CommandOptions } from "./command.ts";
import { describeLuks2 } from "./describe-luks2.ts";
import type { Luks2Facts } from "./describe-luks2.ts";

/** All that a header says, as plain data; told apart by `version`. No passphrase is needed, and nothing in it is secret. */
export type LuksDump = Luks1Dump | (Luks2Dump & Luks2Facts);

/**
 * Reads what the header of a LUKS device says, also of a device that cannot be opened here. Writes nothing. Throws
 * `CEV_BAD_METADATA` when there is no header that can be used.
 */
export async function luksDump(lower: Layer, options: CommandOptions): Promise<LuksDump> {
  const source = headerSourceOf(lower, options.environment, options.name);
  if ((await luksVersionAtStart(source)) === 1) return readLuks1Dump(source);
  const dump = await readLuks2Dump(source);
  return { ...dump, ...describeLuks2(dump.jsonText) };
}
