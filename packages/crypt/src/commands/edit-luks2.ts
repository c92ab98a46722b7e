import { CevError } from "@cev/core";
import type { Layer } from "@cev/core";
import { Luks2Editor } from "../luks2/editor.ts";
import { editHeader } from "./edit-header.ts";
import type { EditContext } from "./edit-header.ts";

/** As `editHeader`, for what only LUKS2 has. Throws `CEV_NOT_SUPPORTED` for a LUKS1 header. `what`: in words, for the error. */
export function editLuks2<Result>(
  lower: Layer,
  command: string,
  context: EditContext & { readonly what: string },
  change: (editor: Luks2Editor) => Promise<Result>,
): Promise<Result> {
  return editHeader(lower, command, context, (editor) => {
    if (editor instanceof Luks2Editor) return change(editor);
    throw onlyLuks2(context.what, context.name ?? lower.name);
  });
}

/** What to throw where a LUKS1 header has no room for something. */
export function onlyLuks2(what: string, source: string): CevError {
  return new CevError("CEV_NOT_SUPPORTED", `LUKS1 has no ${what}`, {
    source,
    hint: "convert the device to LUKS2",
  });
}
