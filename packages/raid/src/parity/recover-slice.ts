import { CevError } from "@cev/core";
import type { ParityEngine } from "./parity-engine.ts";
import { Wrong, checkParity, recoverData } from "./slice-parity.ts";
import { withStripe } from "./slice-pass.ts";
import { Use, planRecovery, planVerifiedRecovery } from "./slice-plan.ts";
import type { StripeSlice } from "./stripe-slice.ts";

/**
 * Writes one piece of every member that is being rebuilt and does not hold it yet, under the stripe's lock. The piece
 * lies within one stripe and is at most `sliceLengthMax` long. Zeroes are written as holes, so that sparse images stay
 * sparse. Rejects where the piece cannot be had from the others, or cannot be written.
 */
export function recoverStripeSlice(engine: ParityEngine, start: number, end: number): Promise<void> {
  const stripe = Math.floor(start / engine.map.chunkSize);
  return withStripe(engine, stripe, () => recoverRange(engine, start, end));
}

async function recoverRange(engine: ParityEngine, start: number, end: number): Promise<void> {
  const pass = engine.takePass();
  const { slice } = pass;
  try {
    const lost = await pass.read(start, end, planTargets);
    if (lost !== null) throw recoverError(slice, lost.cause);
    const marked = new Uint8Array(slice.columns.count);
    for (let column = 0; column < marked.length; column++) if (isTarget(slice, column)) marked[column] = 1;
    if (!marked.includes(1)) return;
    recoverData(slice);
    // Read again: that the parity was in doubt may have become known meanwhile.
    const isVerified = slice.uses.subarray(0, slice.dataCount).includes(Use.room) && slice.isUnsynced;
    if (isVerified && checkParity(slice, 0, slice.length) !== Wrong.none) throw recoverError(slice, null);
    await pass.write(marked, true);
  } finally {
    engine.givePass(pass);
  }
}

/** It is being rebuilt and has not come so far. */
function isTarget(slice: StripeSlice, column: number): boolean {
  const member = slice.memberOf(column);
  return member.state === "rebuilding" && slice.readable[column] === 0;
}

function planTargets(slice: StripeSlice): boolean {
  const { dataCount, columns, uses } = slice;
  let hasTarget = false;
  for (let column = 0; column < columns.count; column++) if (isTarget(slice, column)) hasTarget = true;
  uses.fill(Use.none);
  if (!hasTarget) return true;
  if (!(slice.isUnsynced ? planVerifiedRecovery(slice, uses) : planRecovery(slice, uses))) return false;
  for (let column = dataCount; column < columns.count; column++)
    if (isTarget(slice, column)) uses[column] = Use.room;
  return true;
}

function recoverError(slice: StripeSlice, cause: CevError | null): CevError {
  const place = `bytes ${slice.start} to ${slice.end} of the members' data`;
  const why =
    cause === null
      ? "too much else is missing there, or the parity is not known to be right"
      : `another member cannot be read there: ${cause.message}`;
  return new CevError("CEV_DEGRADED", `${place} cannot be rebuilt: ${why}`, {
    layer: slice.engine.name,
    ...(cause === null ? {} : { cause }),
  });
}
