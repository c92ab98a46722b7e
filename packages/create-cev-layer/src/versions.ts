import { Refusal } from "./refusal.ts";

/** Ranges of versions that a new layer asks for. */
export interface Versions {
  readonly core: string;
  readonly testKit: string;
  readonly cli: string;
}

/** The part of a package.json that is read. */
export interface PackageManifest {
  readonly devDependencies?: Readonly<Record<string, string>>;
}

/**
 * The versions that were released together with this package: its package.json names them once it has been packed. Throws a
 * `Refusal` where it has not been.
 */
export function versionsOf({ devDependencies = {} }: PackageManifest): Versions {
  const rangeOf = (name: string): string => {
    const range = devDependencies[name] ?? "";
    if (!/^[\^~]?\d/.test(range))
      throw new Refusal(`this is not a released create-cev-layer: it does not know which ${name} to ask for`);
    return range;
  };
  return { core: rangeOf("@cev/core"), testKit: rangeOf("@cev/test-kit"), cli: rangeOf("@cev/cli") };
}
