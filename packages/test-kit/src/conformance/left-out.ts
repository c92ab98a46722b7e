import type { Support } from "@cev/core";
import type { Tested } from "./tested.ts";

/** Why a test is left out: of a layer that starts anew whenever it is made. */
export const LOSES_ALL = "it holds nothing of what it held when it is made again (isPersistent is false)";

/** Why a test is left out: of a layer that promises nothing about lost lowers. */
export const NO_REDUNDANCY = "it need not do without a lower (lostLowersMax is 0)";

/** Why a test is left out: of a layer that may read what it was not asked about. */
export const HAS_COPIES =
  "it may read another copy than the one below that was altered (lostLowersMax, canHideErrors)";

/** Why a test is left out that needs what the layer denies; null when it offers it. */
export function deniedBy({ manifest: { support } }: Tested, feature: keyof Support): string | null {
  return support[feature] === "none" ? `support.${feature} is none` : null;
}
