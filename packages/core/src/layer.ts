import { Claims } from "./claims.ts";
import type { Claim, ClaimMode } from "./claims.ts";
import { CevError } from "./errors.ts";
import type { Run } from "./extents/run.ts";
import type { Io } from "./io.ts";
import type { Limits } from "./limits.ts";
import type { Support } from "./support.ts";

/** Plain data, as in JSON. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** Enough to build the layer again: its driver, its options, and what it stands on. */
export interface LayerDescription {
  readonly driver: string;
  readonly options: { readonly [key: string]: Json };
  readonly lowers: readonly LayerDescription[];
}

/**
 * Anything that stores blocks, disk or mapping. `submit` is the data path; the rest stands beside it. The contract:
 * `submit` returns nothing, never throws, never blocks, and completes the `Io` exactly once, perhaps before it returns;
 * an operation is done or refused, never dropped; the data of a write is never altered; only known operations are
 * forwarded.
 */
export interface Layer {
  /** Of this layer, for people: "raid5", "window". */
  readonly name: string;
  readonly lowers: readonly Layer[];
  readonly limits: Limits;
  readonly support: Support;
  readonly claims: Claims;
  /** Claims the lowers and makes ready for requests. Once. */
  open(): Promise<void>;
  submit(io: Io): void;
  /**
   * Tells what it knows of a range of any alignment: at least one run, from `offset` on, without gaps, at most `countMax`; they
   * may cover less of the range, or more. "zeroes" and "hole" are promises that a read which begins now gives zeroes, whatever has
   * been acknowledged; a request under way may change that, one that completed before the question may not. Answers at once
   * unless it has to ask elsewhere. Absent: nothing is known.
   */
  runs?(offset: number, length: number, countMax: number): readonly Run[] | Promise<readonly Run[]>;
  /** Called when no request is under way and nobody above is open. Leaves the metadata clean, gives the lowers back. */
  close(): Promise<void>;
  describe(): LayerDescription;
}

/** What most layers share beside the data path: claiming their lowers on open, giving them back on close. */
export abstract class LayerBase implements Layer {
  abstract readonly name: string;
  abstract readonly limits: Limits;
  abstract readonly support: Support;
  readonly claims: Claims = new Claims();
  #lowers: readonly Layer[];
  readonly #held: { readonly lower: Layer; readonly claim: Claim }[] = [];

  constructor(lowers: readonly Layer[] = []) {
    this.#lowers = lowers;
  }

  /** What it stands on now: most layers never change that. */
  get lowers(): readonly Layer[] {
    return this.#lowers;
  }

  /** Claims all lowers: for writing unless this layer is read-only. */
  open(): Promise<void> {
    return Promise.resolve().then(() => this.claimLowers(this.support.write === "none" ? "read" : "write"));
  }

  abstract submit(io: Io): void;

  close(): Promise<void> {
    this.releaseLowers();
    return Promise.resolve();
  }

  abstract describe(): LayerDescription;

  /** Claims every lower or none. Throws `CEV_BUSY`. */
  protected claimLowers(mode: ClaimMode): void {
    try {
      for (const lower of this.#lowers) this.#claim(lower, mode);
    } catch (error) {
      this.releaseLowers();
      throw error;
    }
  }

  protected releaseLowers(): void {
    for (const { claim } of this.#held.splice(0)) claim.release();
  }

  /**
   * While it is open, for those that change what they stand on (a RAID gets a member): one lower more, which is open and
   * from now on closed with the others. Throws `CEV_BUSY`.
   */
  protected addLower(lower: Layer, mode: ClaimMode): void {
    this.#claim(lower, mode);
    this.#lowers = [...this.#lowers, lower];
  }

  /** The other way: gives one lower back, which the caller closes. */
  protected removeLower(lower: Layer): void {
    const index = this.#lowers.indexOf(lower);
    if (index >= 0) this.#lowers = this.#lowers.toSpliced(index, 1);
    const held = this.#held.findIndex((one) => one.lower === lower);
    if (held >= 0) for (const { claim } of this.#held.splice(held, 1)) claim.release();
  }

  #claim(lower: Layer, mode: ClaimMode): void {
    this.#held.push({ lower, claim: lower.claims.acquire(this, mode, lower.name) });
  }
}

/** Opens a layer and all below it, lowest first; what is open already (because another stack shares it) is only counted. */
export function openTree(layer: Layer): Promise<void> {
  return inTurn(layer.claims, () => openInTurn(layer));
}

async function openInTurn(layer: Layer): Promise<void> {
  if (layer.claims.openCount > 0) {
    layer.claims.openCount++;
    return;
  }
  const opened: Layer[] = [];
  try {
    for (const lower of layer.lowers) {
      await openTree(lower);
      opened.push(lower);
    }
    await layer.open();
    layer.claims.openCount = 1;
  } catch (error) {
    releaseClaimsOf(layer);
    // Why it does not open is what counts; all are closed, also when one of them fails.
    for (const lower of opened.reverse()) await closeTree(lower).catch(() => undefined);
    throw error;
  }
}

/** Closes a layer and all below it that nobody else has open, uppermost first. All are closed, also when one of them fails. */
export function closeTree(layer: Layer): Promise<void> {
  return inTurn(layer.claims, () => closeInTurn(layer));
}

async function closeInTurn(layer: Layer): Promise<void> {
  if (layer.claims.openCount > 1) {
    layer.claims.openCount--;
    return;
  }
  if (layer.claims.openCount === 0) return;
  if (layer.claims.count > 0) {
    throw new CevError("CEV_BUSY", `${layer.name} cannot be closed: it is in use`, {
      layer: layer.name,
      hint: "close what stands on it first",
    });
  }
  layer.claims.openCount = 0;
  const errors: unknown[] = [];
  try {
    await layer.close();
  } catch (error) {
    errors.push(error);
    releaseClaimsOf(layer);
  }
  for (const lower of layer.lowers) await closeTree(lower).catch((error: unknown) => errors.push(error));
  if (errors.length > 0) throw errors[0];
}

/** What a layer has claimed that failed half-way: nobody else would give that back, and those below could not be closed. */
function releaseClaimsOf(layer: Layer): void {
  for (const lower of layer.lowers) lower.claims.releaseAllOf(layer);
}

/** Two that share a layer may open or close it at the same time: one after the other, so that each is counted. */
async function inTurn(claims: Claims, run: () => Promise<void>): Promise<void> {
  while (claims.turn !== null) await claims.turn;
  let end: () => void = () => undefined;
  claims.turn = new Promise((resolve) => (end = resolve));
  try {
    await run();
  } finally {
    claims.turn = null;
    end();
  }
}
