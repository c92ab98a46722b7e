import { CevError } from "@cev/core";
import type { SyncWay } from "../array/personality.ts";
import { PIECE_LENGTH } from "../array/running-array.ts";
import type { ParityEngine } from "./parity-engine.ts";
import { Wrong, checkParity, recoverData } from "./slice-parity.ts";
import { withStripe } from "./slice-pass.ts";
import { Use, planRecovery, planVerifiedRecovery } from "./slice-plan.ts";
import type { StripeSlice } from "./stripe-slice.ts";

/**
 * Looks at one piece of the members' data, which lies within one stripe and is at most `sliceLengthMax` long, under the
 * stripe's lock. Resolves with the number of bytes of a member whose parity was not right, in whole pages, as md counts.
 */
export function syncStripeSlice(
  engine: ParityEngine,
  start: number,
  end: number,
  way: SyncWay,
): Promise<number> {
  const stripe = Math.floor(start / engine.map.chunkSize);
  return withStripe(engine, stripe, () => syncRange(engine, start, end, way));
}

/** Makes the parity of some bytes of the members' data fit the data again, for who holds the locks of their stripes. */
export async function restoreParity(engine: ParityEngine, start: number, end: number): Promise<void> {
  const { syncStep } = engine;
  for (let at = start; at < end;) {
    const next = Math.min(end, at - (at % syncStep) + syncStep);
    await syncRange(engine, at, next, "resync");
    at = next;
  }
}

async function syncRange(engine: ParityEngine, start: number, end: number, way: SyncWay): Promise<number> {
  const pass = engine.takePass();
  const { slice } = pass;
  try {
    const lost = await pass.read(start, end, way === "resync" ? planUntrusted : planAll);
    if (lost !== null && slice.hasGaps && end - start > PIECE_LENGTH)
      return await syncPages(engine, start, end, way);
    if (lost !== null) throw syncError(slice, lost.cause);
    // What could not be read is worked out, and written back.
    const isRecovered = slice.uses.subarray(0, slice.dataCount).includes(Use.room);
    recoverData(slice);
    const marked = new Uint8Array(slice.columns.count);
    for (let column = 0; column < marked.length; column++)
      if (slice.hasFailed(column) && slice.writable[column] === 1) marked[column] = 1;
    const { mismatched, which } = compareParity(slice);
    if (isRecovered && mismatched > 0 && (way === "resync" || slice.isUnsynced)) throw syncError(slice, null);
    if (way !== "check") {
      if ((which & Wrong.p) !== 0) marked[slice.dataCount] = 1;
      if ((which & Wrong.q) !== 0) marked[slice.dataCount + 1] = 1;
    }
    if (marked.includes(1)) {
      await pass.write(marked, false).catch((error: unknown) => {
        throw syncError(slice, error);
      });
    }
    return mismatched;
  } finally {
    engine.givePass(pass);
  }
}

/** What cannot be read may lie in different rows: then each can be done without. */
async function syncPages(engine: ParityEngine, start: number, end: number, way: SyncWay): Promise<number> {
  let mismatched = 0;
  for (let at = start; at < end;) {
    const next = Math.min(end, at - (at % PIECE_LENGTH) + PIECE_LENGTH);
    mismatched += await syncRange(engine, at, next, way);
    at = next;
  }
  return mismatched;
}

/** Bytes of a member that do not match, by pages; which parities are wrong, as `Wrong` bits. */
function compareParity(slice: StripeSlice): { mismatched: number; which: number } {
  let mismatched = 0;
  let which: number = Wrong.none;
  if (checkParity(slice, 0, slice.length) === Wrong.none) return { mismatched, which };
  for (let row = 0; row < slice.length; row += PIECE_LENGTH) {
    const length = Math.min(PIECE_LENGTH, slice.length - row);
    const found = checkParity(slice, row, length);
    which |= found;
    if (found !== Wrong.none) mismatched += length;
  }
  return { mismatched, which };
}

/** Everything that can be read; what cannot is made up for by parity. */
function planAll(slice: StripeSlice): boolean {
  return slice.isUnsynced ? planUntrusted(slice) : planRecovery(slice, slice.uses) && planParity(slice);
}

/** The same where the parity may be wrong. */
function planUntrusted(slice: StripeSlice): boolean {
  return planVerifiedRecovery(slice, slice.uses) && planParity(slice);
}

/** All parity that can be read, and room for what else of it is to be written. */
function planParity({ dataCount, columns, readable, writable, uses }: StripeSlice): true {
  for (let column = dataCount; column < columns.count; column++) {
    if (readable[column] === 1) uses[column] = Use.read;
    else if (writable[column] === 1) uses[column] = Use.room;
  }
  return true;
}

function syncError(slice: StripeSlice, cause: unknown): CevError {
  const gone: string[] = [];
  for (let column = 0; column < slice.columns.count; column++)
    if (slice.readable[column] === 0) gone.push(slice.memberOf(column).name);
  const what =
    gone.length > 0 ? `${gone.join(" and ")} cannot be read there` : "a member cannot be written there";
  return new CevError(
    "CEV_DEGRADED",
    `the parity cannot be made right at bytes ${slice.start} to ${slice.end} of the members' data: ${what}`,
    {
      layer: slice.engine.name,
      hint: "open the array read-only and save what can be read",
      ...(cause === null ? {} : { cause }),
    },
  );
}
