import { A, B, base } from "./base-recipe.ts";
import { groupText, makePv } from "./group-image.ts";
import type { GroupRecipe } from "./group-image.ts";
import type { ImageLayer } from "./image-layer.ts";
import { openGroup } from "./open.ts";
import type { Opened } from "./open.ts";

export { A, B, C, base } from "./base-recipe.ts";

/** One physical volume with this text in one area. */
export function pv(name: string, uuid: string, text: string | null): ImageLayer {
  return makePv({ name, uuid, texts: text === null ? [] : [{ text }] });
}

/** The codes of what was reported. */
export function codes({ problems }: Opened): string[] {
  return problems.map(({ code }) => code);
}

/** The names of what was opened. */
export function names({ devices }: Opened): (string | null)[] {
  return devices.map(({ name }) => name);
}

/** Opens a group of two devices in which `volumes` stand beside each other, as seen from its text. */
export async function openWith(
  volumes: Readonly<Record<string, string>>,
  more: Partial<GroupRecipe> = {},
): Promise<Opened> {
  const text = groupText({ ...base, volumes: { ...base.volumes, ...volumes }, ...more });
  return await openGroup([pv("d0", A, text), pv("d1", B, text)]);
}
