import type { Layer } from "@cev/core";
import { CevError } from "@cev/core";
import { convertToLuks1 } from "../convert/to-luks1.ts";
import { convertToLuks2 } from "../convert/to-luks2.ts";
import { refuseForeign } from "../header/foreign-signature.ts";
import { headerDevice } from "../header/header-device.ts";
import { openLuks1Editor } from "../luks1/editor.ts";
import { luksVersionAtStart, readLuks2Copies } from "../luks2/copies.ts";
import { throwIfCancelled } from "./command.ts";
import type { CommandOptions } from "./command.ts";

/** Settings of `luksConvert`. */
export interface LuksConvertOptions extends CommandOptions {
  /** The version that the header is to have. */
  readonly to: 1 | 2;
}

/**
 * Makes a LUKS2 header of a LUKS1 header, or the other way round; `lower` (open, and nobody else may be writing it) carries it. All keys
 * and the data stay as they are, and the device opens after a cut at any moment. Refused is what the other version cannot say, as
 * by `cryptsetup convert`, and what would not be safe: `CEV_NOT_SUPPORTED`, `CEV_NO_SPACE`; nothing is written then.
 */
export async function luksConvert(lower: Layer, options: LuksConvertOptions): Promise<void> {
  const { environment, to, signal } = options;
  const claim = lower.claims.acquire({ name: "luksConvert" }, "write", lower.name);
  try {
    const device = headerDevice(lower, environment, options.name);
    const version = await luksVersionAtStart(device);
    if (version === 1 && to === 2) {
      const editor = await openLuks1Editor(device);
      throwIfCancelled(signal);
      return await convertToLuks2(device, editor);
    }
    const copies = version === 1 ? null : await readLuks2Copies(device);
    if (version !== 1 && copies === null)
      throw new CevError("CEV_BAD_METADATA", "there is no LUKS header here", { source: device.name });
    if (copies === null || to === 2)
      throw new CevError("CEV_INVALID", `the device is LUKS${to} already`, { source: device.name });
    await refuseForeign(device, copies);
    throwIfCancelled(signal);
    return await convertToLuks1(device, copies);
  } finally {
    claim.release();
  }
}
