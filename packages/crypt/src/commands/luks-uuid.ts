import type { Layer } from "@cev/core";
import { headerSourceOf } from "../header/header-device.ts";
import { readLuks1Header } from "../luks1/volume.ts";
import { luksVersionAtStart, readLuks2Copies } from "../luks2/copies.ts";
import { Luks2Editor } from "../luks2/editor.ts";
import { invalid } from "./command.ts";
import type { CommandOptions } from "./command.ts";
import { editHeader, noHeader } from "./edit-header.ts";

/** Settings of `luksUuid`. */
export interface LuksUuidOptions extends Pick<CommandOptions, "environment" | "name"> {
  /** The UUID to be set; left out, it is only read. */
  readonly uuid?: string;
}

/** Reads the UUID of a LUKS device, or sets it. Returns the one it has then. Throws `CEV_INVALID` for what is no UUID. */
export async function luksUuid(lower: Layer, options: LuksUuidOptions): Promise<string> {
  const { environment, name } = options;
  if (options.uuid === undefined) {
    const source = headerSourceOf(lower, environment, name);
    if ((await luksVersionAtStart(source)) === 1) return (await readLuks1Header(source)).uuid;
    const copies = await readLuks2Copies(source);
    if (copies === null) throw noHeader(source.name);
    return copies.header.uuid;
  }
  const uuid = options.uuid.toLowerCase();
  if (!/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(uuid))
    throw invalid(`${JSON.stringify(options.uuid)} is no UUID`);
  await editHeader(lower, "luksUuid", options, (editor) =>
    editor instanceof Luks2Editor ? editor.rename({ uuid }) : editor.setUuid(uuid),
  );
  return uuid;
}
