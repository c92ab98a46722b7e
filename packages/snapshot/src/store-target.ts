import type { Limits, SubmitTarget, Support } from "@cev/core";

/** What a store, or an origin, is read and written through: takes requests of any length, and FUA and zeroes where it can. */
export interface StoreTarget extends SubmitTarget {
  readonly limits: Limits;
  readonly support: Support;
}
