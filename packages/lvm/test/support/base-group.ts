import { groupText, linear, makePv, uuidOf } from "./group-image.ts";
import type { GroupRecipe } from "./group-image.ts";
import type { ImageLayer } from "./image-layer.ts";
import { openGroup } from "./open.ts";
import type { Opened } from "./open.ts";

/** UUIDs of physical volumes. */
export const A: string = uuidOf("a");
export const B: string = uuidOf("b");
export const C: string = uuidOf("c");

/** Two physical volumes with a volume on each and one on both. */
export const base: GroupRecipe = {
  pvs: [A, B],
  volumes: {
    left: linear(uuidOf("l"), [[4, "pv0", 0]]),
    right: linear(uuidOf("r"), [[4, "pv1", 0]]),
    both: linear(uuidOf("t"), [
      [4, "pv0", 10],
      [4, "pv1", 10],
    ]),
  },
};

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
