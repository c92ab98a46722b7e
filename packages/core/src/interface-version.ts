/**
 * Version of the `Layer` and `Driver` interfaces as they are here. A driver names the one it was written for, as a number of its own:
 * one that is published apart from core would otherwise claim whatever version it finds installed.
 */
export const INTERFACE_VERSION = 1;

/** The versions that are understood, both included. Additions that may be left out make no new one. */
export const INTERFACE_VERSIONS: { readonly oldest: number; readonly current: number } = {
  oldest: 1,
  current: INTERFACE_VERSION,
};

/**
 * Why a driver that was written for such a version cannot be used here, in words that follow its name, with what to do; null: it can.
 * `known`: the versions that count, by default those that are understood here.
 */
export function interfaceIssue(
  version: unknown,
  { oldest, current }: { readonly oldest: number; readonly current: number } = INTERFACE_VERSIONS,
): string | null {
  const known = oldest === current ? `version ${current} is` : `versions ${oldest} to ${current} are`;
  if (typeof version !== "number" || !Number.isSafeInteger(version) || version < 0)
    return `does not say for which version of the driver interface it was written, and only ${known} known here: its interfaceVersion has to be a whole number`;
  if (version < oldest)
    return `was written for version ${version} of the driver interface, and only ${known} known here: it has to be built for a newer @cev/core`;
  if (version > current)
    return `was written for version ${version} of the driver interface, and only ${known} known here: a newer cev is needed`;
  return null;
}
