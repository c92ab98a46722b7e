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
  const uris = new Map<string, UriSource>();
  for (const uri of given.filter(isUri)) {
    const found = driverOfUri(uri, drivers);
    if (uris.has(uri)) {
      throw new CevError("CEV_AMBIGUOUS", "this URI is given twice", {
        source: found.name,
        hint: "give each device once",
      });
    }
    uris.set(uri, found);
  }
  const longNames = [...uris.values()].map(({ longName }) => longName);
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
    const { driver, options, name: short, longName } = uris.get(source)!;
    const proposed = longName === short ? short : shortest(longName, longNames);
    let name = proposed;
    for (let count = 2; taken.has(name); count++) name = `${proposed}-${count}`;
    taken.add(name);
    return { name, source, isUri: true, driver, options };
  });
}

interface UriSource {
  readonly driver: AnyDriver;
  readonly options: ImageSource["options"];
  readonly name: string;
  readonly longName: string;
}

/** As many of the last parts of a name as tell it from all others; equal names stay equal. */
function shortest(longName: string, all: readonly string[]): string {
  const parts = longName.split("/");
  const others = all.filter((one) => one !== longName).map((one) => one.split("/"));
  for (let count = 1; count < parts.length; count++) {
    const name = parts.slice(-count).join("/");
    if (name !== "" && others.every((other) => other.slice(-count).join("/") !== name)) return name;
  }
  return longName;
}

/** A name may not end a line, nor move the cursor. */
const printable = (name: string): string => name.replaceAll(/\p{Cc}/gu, "?");

/** The driver that opens a URI, its options for it, and names for people. */
function driverOfUri(uri: string, drivers: DriverRegistry): UriSource {
  const scheme = URI.exec(uri)![1]!.toLowerCase();
  for (const driver of drivers) {
    if (driver.fromUri !== undefined && driver.uriSchemes?.includes(scheme) === true) {
      const { options, name, longName = name } = driver.fromUri(uri);
      return { driver, options, name: printable(name), longName: printable(longName) };
    }
  }
  const known = [...drivers].flatMap(({ uriSchemes = [] }) => uriSchemes);
  throw new CevError("CEV_NOT_SUPPORTED", `no driver opens URIs that begin with ${scheme}:`, {
    hint:
      known.length === 0
        ? "name image files"
        : `known are ${known.join(", ")}; a file of that name is written with ./ in front`,
  });
}
