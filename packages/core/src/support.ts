import { Op } from "./io.ts";

/** Done by the device itself, done in its place by other operations (slower, same result), or refused. */
export type SupportLevel = "native" | "emulated" | "none";

/** What a layer offers, per operation; `fua`: durable single writes. */
export interface Support {
  readonly read: SupportLevel;
  readonly write: SupportLevel;
  readonly flush: SupportLevel;
  readonly discard: SupportLevel;
  readonly writeZeroes: SupportLevel;
  readonly fua: SupportLevel;
}

type Feature = keyof Support;
const FEATURES: readonly Feature[] = ["read", "write", "flush", "discard", "writeZeroes", "fua"];
const RANKS: readonly SupportLevel[] = ["none", "emulated", "native"];

/** Everything native. */
export const FULL_SUPPORT: Support = support(() => "native");
/** Reads alone. */
export const READ_ONLY_SUPPORT: Support = support((feature) => (feature === "read" ? "native" : "none"));

/** What a layer can forward of what its lower offers: `none` for all that it does not forward. */
export function narrowSupport(lower: Support, forwarded: readonly Feature[]): Support {
  return support((feature) => (forwarded.includes(feature) ? lower[feature] : "none"));
}

/** What several lowers offer together: of each feature the least. */
export function combineSupport(lowers: readonly Support[]): Support {
  return support((feature) => RANKS[Math.min(...lowers.map((lower) => RANKS.indexOf(lower[feature])))]!);
}

/** The level of an operation. */
export function supportOf(offered: Support, op: Op): SupportLevel {
  switch (op) {
    case Op.read:
      return offered.read;
    case Op.write:
      return offered.write;
    case Op.flush:
      return offered.flush;
    case Op.discard:
      return offered.discard;
    case Op.writeZeroes:
      return offered.writeZeroes;
    default:
      return "none";
  }
}

function support(level: (feature: Feature) => SupportLevel): Support {
  return Object.fromEntries(FEATURES.map((feature) => [feature, level(feature)])) as unknown as Support;
}
