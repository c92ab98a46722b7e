import { headerDevice } from "../header/header-device.ts";
import type { HeaderDevice } from "../header/header-device.ts";
import { repairLuks1 } from "../luks1/repair.ts";
import { luksVersionAtStart } from "../luks2/copies.ts";
import { repairLuks2 } from "../luks2/repair.ts";
import type { CommandOptions } from "./command.ts";
import type { Layer } from "@cev/core";

/** Settings of `luksRepair`. */
export interface LuksRepairOptions extends Pick<CommandOptions, "environment" | "name"> {
  /** By default as the start of the device says. */
  readonly version?: 1 | 2;
  /** Only say what would be done. */
  readonly isDryRun?: boolean;
  /** Which device this is, where the two header copies are of different ones. */
  readonly uuid?: string;
}

/**
 * Puts the header in order: of LUKS2 the copy that is damaged, missing or out of date is written anew from the other one; of LUKS1 what is
 * known to go wrong in the only one. Keys stay as they are. Returns what was done, in words; nothing when all was in order. Throws
 * `CEV_BAD_METADATA` when it cannot be repaired: then nothing is written.
 */
export async function luksRepair(lower: Layer, options: LuksRepairOptions): Promise<readonly string[]> {
  const { environment, name, isDryRun = false, uuid = null } = options;
  const device = headerDevice(lower, environment, name);
  const repair = async (target: HeaderDevice): Promise<readonly string[]> => {
    const version = options.version ?? (await luksVersionAtStart(target));
    return version === 1 ? repairLuks1(target) : repairLuks2(target, { isDryRun, uuid });
  };
  if (isDryRun) return repair({ ...device, writeDurably: () => Promise.resolve() });
  const claim = lower.claims.acquire({ name: "luksRepair" }, "write", lower.name);
  try {
    return await repair(device);
  } finally {
    claim.release();
  }
}
