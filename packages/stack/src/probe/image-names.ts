import { resolve, sep } from "node:path";
import { CevError } from "@cev/core";
import { fileIdentity } from "../file-identity.ts";

/** An image and the name it gets. */
export interface NamedImage {
  readonly name: string;
  readonly path: string;
}

/**
 * Names images by their file names, with as many folders in front as tell them apart. The same file twice is refused:
 * nobody knows what two copies of one disk should mean.
 */
export async function nameImages(paths: readonly string[]): Promise<NamedImage[]> {
  const known = new Map<string, string>();
  for (const path of paths) {
    // What cannot be looked at is refused by the driver that opens it, with a better message.
    const identity = (await fileIdentity(path)) ?? resolve(path);
    const other = known.get(identity);
    if (other !== undefined) {
      throw new CevError(
        "CEV_AMBIGUOUS",
        other === path ? "this image is given twice" : `this is the same file as ${other}`,
        {
          source: path,
          hint: "give each image once",
        },
      );
    }
    known.set(identity, path);
  }
  const parts = paths.map((path) => resolve(path).split(sep));
  return paths.map((path, index) => {
    const own = parts[index]!;
    for (let count = 1; count < own.length; count++) {
      const name = own.slice(-count).join("/");
      const isOnly = parts.every((other, at) => at === index || other.slice(-count).join("/") !== name);
      if (isOnly) return { name, path };
    }
    return { name: own.join("/"), path };
  });
}
