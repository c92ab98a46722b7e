import { MetadataError } from "@cev/core";
import type { Environment, Layer } from "@cev/core";
import { headerDevice } from "../header/header-device.ts";
import type { HeaderDevice } from "../header/header-device.ts";
import { openLuks1Editor } from "../luks1/editor.ts";
import type { Luks1Editor } from "../luks1/editor.ts";
import { luksVersionAtStart } from "../luks2/copies.ts";
import { openLuks2Editor } from "../luks2/editor.ts";
import type { Luks2Editor } from "../luks2/editor.ts";

/** Who changes a header. */
export interface EditContext {
  readonly environment: Environment;
  /** What the user calls the device, for errors. By default the layer's name. */
  readonly name?: string;
}

/**
 * Claims the device (open) that carries a LUKS header, reads the header, and runs `change` on its editor. Throws `CEV_BUSY` when
 * somebody else writes the device, `CEV_BAD_METADATA` when there is no header or it cannot be used, `CEV_UNKNOWN_FEATURE` when
 * not all of it is known here. `command`: what is being done, for whoever meets the claim.
 */
export async function editHeader<Result>(
  lower: Layer,
  command: string,
  { environment, name }: EditContext,
  change: (editor: Luks1Editor | Luks2Editor, device: HeaderDevice) => Promise<Result>,
): Promise<Result> {
  const claim = lower.claims.acquire({ name: command }, "write", lower.name);
  try {
    const device = headerDevice(lower, environment, name);
    const isFirst = (await luksVersionAtStart(device)) === 1;
    return await change(isFirst ? await openLuks1Editor(device) : await openLuks2Editor(device), device);
  } finally {
    claim.release();
  }
}

/** What to throw when a device carries no LUKS header. */
export function noHeader(name: string): MetadataError {
  return new MetadataError("there is no LUKS header here", {
    source: name,
    structure: "LUKS header",
    byteOffset: 0,
  });
}
