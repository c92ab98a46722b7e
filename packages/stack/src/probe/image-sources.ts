import { resolve } from "node:path";
import { CevError } from "@cev/core";
import type { Json } from "@cev/core";
import type { AnyDriver, DriverRegistry } from "../registry.ts";
import { nameImages } from "./image-names.ts";

/** Something that was named to be opened: a file, or a URI that one of the drivers knows. */
export interface ImageSource {
  /** In the stack. */
  readonly name: string;
  /** The whole path, or the URI as it was given. */
  readonly source: string;
  readonly isUri: boolean;
  readonly driver: AnyDriver;
  readonly options: { readonly [key: string]: Json };
}

/** Where sources are looked for, and by whom they are opened. */
export interface ImageSourcesOptions {
  readonly drivers: DriverRegistry;
  /** Of the driver that opens files. */
  readonly imageDriver: string;
  /** Relative paths start here. */
  readonly directory: string;
}

const URI = /^([a-z][a-z0-9+.-]*):\/\//i;

/** True for what is written like a URI, and no path. */
export function isUri(source: string): boolean {
  return URI.test(source);
}

/** The same text for the same source: a whole path, or the URI. */
export function wholeSource(source: string, directory: string): string {
  return isUri(source) ? source : resolve(directory, source);
}

/** Names all sources, in their order, and finds their drivers. */
export async function imageSources(
  given: readonly string[],
  { drivers, imageDriver, directory }: ImageSourcesOptions,
): Promise<ImageSource[]> {
  const files = await nameImages(
    given.filter((one) => !isUri(one)).map((path) => wholeSource(path, directory)),
  );
  const taken = new Set(files.map(({ name }) => name));
  const uris = new Set<string>();
  return given.map((source) => {
    if (!isUri(source)) {
      const { name, path } = files.shift()!;
      const driver = drivers.get(imageDriver);
      if (driver === undefined) {
        throw new CevError(
          "CEV_NOT_FOUND",
          `the driver ${imageDriver}, which opens image files, is not among the drivers`,
        );
      }
      return { name, source: path, isUri: false, driver, options: { path } };
    }
    const { driver, options, name: proposed } = driverOfUri(source, drivers);
    if (uris.has(source)) {
      throw new CevError("CEV_AMBIGUOUS", "this URI is given twice", {
        source: proposed,
        hint: "give each device once",
      });
    }
    uris.add(source);
    let name = proposed;
    for (let count = 2; taken.has(name); count++) name = `${proposed}-${count}`;
    taken.add(name);
    return { name, source, isUri: true, driver, options };
  });
}

/** The driver that opens a URI, its options for it, and a name for people. */
function driverOfUri(
  uri: string,
  drivers: DriverRegistry,
): { readonly driver: AnyDriver; readonly options: ImageSource["options"]; readonly name: string } {
  const scheme = URI.exec(uri)![1]!.toLowerCase();
  for (const driver of drivers) {
    if (driver.fromUri !== undefined && driver.uriSchemes?.includes(scheme) === true)
      return { driver, ...driver.fromUri(uri) };
  }
  const known = [...drivers].flatMap(({ uriSchemes = [] }) => uriSchemes);
  throw new CevError("CEV_NOT_SUPPORTED", `no driver opens URIs that begin with ${scheme}:`, {
    hint:
      known.length === 0
        ? "name image files"
        : `known are ${known.join(", ")}; a file of that name is written with ./ in front`,
  });
}
