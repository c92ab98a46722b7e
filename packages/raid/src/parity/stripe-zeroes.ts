import { IoFlag, Op } from "@cev/core";
import type { CevError, Io } from "@cev/core";
import { cancelled, degradedError } from "../array/failure.ts";
import { endIo, holdChain } from "./end-io.ts";
import { MemberWrites } from "./member-writes.ts";
import type { FullMember, MemberWritesOwner } from "./member-writes.ts";
import type { ParityEngine } from "./parity-engine.ts";
import { StripeRun } from "./stripe-run.ts";
import { restoreParity } from "./sync-slice.ts";

// What is done at once: so much of each member, and no more stripes than these.
const RUN_LENGTH_MAX = 64 * 1024 * 1024;
const RUN_STRIPES_MAX = 512;

/**
 * Whole stripes that are to read as zeroes: every member writes zeroes, as the parity of zeroes is zero. A discard is
 * done the same way, with holes allowed, because what a member's discard leaves need not fit the parity. Run after run,
 * one at a time. Used for one request after the other.
 */
export class StripeZeroes implements MemberWritesOwner {
  readonly #engine: ParityEngine;
  readonly #owner: { ended(zeroes: StripeZeroes): void };
  readonly #run: StripeRun;
  readonly #writes: MemberWrites;
  #io: Io | null = null;
  /** Some members may hold what is written, and others not. */
  #isTorn = false;
  #stripeEnd = 0;

  constructor(engine: ParityEngine, owner: { ended(zeroes: StripeZeroes): void }) {
    this.#engine = engine;
    this.#owner = owner;
    this.#run = new StripeRun(engine, this);
    this.#writes = new MemberWrites(engine, this);
  }

  /** A request for whole stripes. */
  start(io: Io): void {
    const { map } = this.#engine;
    this.#io = io;
    this.#isTorn = false;
    this.#stripeEnd = map.stripeOf(io.offset) + io.length / map.stripeSize;
    this.#next(map.stripeOf(io.offset));
  }

  /** @internal The stripes are locked, and the metadata says that they are about to change. */
  onRun(error: CevError | null): void {
    if (error !== null) return this.#leave(error);
    const io = this.#io!;
    const { array, members, name } = this.#engine;
    if (io.isCancelRequested) return this.#leave(cancelled(io, name));
    if (array.isBroken) return this.#leave(this.#degraded());
    const { start, end } = this.#run;
    const kept = io.op === Op.discard ? IoFlag.fua : IoFlag.fua | IoFlag.noHole | IoFlag.fastZero;
    this.#writes.begin(io, start, end);
    for (const member of members) {
      if (!member.takesWrites) continue;
      this.#writes.add(
        member,
        Op.writeZeroes,
        member.dataStart + start,
        end - start,
        null,
        0,
        io.flags & kept,
      );
    }
    this.#isTorn = true;
    this.#writes.submit();
  }

  onWritten(): void {
    const { array } = this.#engine;
    if (array.isBroken) return this.#leave(this.#degraded());
    this.#isTorn = false;
    array.syncedByWrite(this.#run.start, this.#run.end);
    const { first, count } = this.#run;
    if (first + count === this.#stripeEnd) return this.#settle();
    // The locks of the next run may come in a later turn.
    holdChain(this.#io!);
    this.#run.leave(true);
    this.#next(first + count);
  }

  onFull(full: readonly FullMember[]): void {
    holdChain(this.#io!);
    restoreParity(this.#engine, this.#run.start, this.#run.end).then(
      () => {
        this.#isTorn = false;
        this.#leave(full[0]!.error);
      },
      () => {
        // The parity may fit what it held before by now: the write has failed too.
        for (const { member, error } of full) this.#writes.fail(member, error);
        this.#leave(full[0]!.error);
      },
    );
  }

  onRefused(error: CevError): void {
    this.#isTorn = false;
    this.#leave(error);
  }

  /** @internal */
  onSettled(error: CevError | null): void {
    // Broken meanwhile: no superblock tells which members missed it.
    this.#leave(error === null && this.#engine.array.isBroken ? this.#degraded() : error);
  }

  #next(first: number): void {
    const { chunkSize } = this.#engine.map;
    const countMax = Math.min(RUN_STRIPES_MAX, Math.max(1, Math.floor(RUN_LENGTH_MAX / chunkSize)));
    this.#run.begin(first, Math.min(countMax, this.#stripeEnd - first));
  }

  /** Success is not told before the superblocks name the members that missed it. */
  #settle(): void {
    const keeper = this.#engine.array.keeper!;
    if (!keeper.isUpdating) return this.#leave(null);
    holdChain(this.#io!);
    keeper.whenSettled(settled, this);
  }

  #leave(error: CevError | null): void {
    const io = this.#io!;
    this.#io = null;
    this.#run.leave(error === null || !this.#isTorn);
    this.#owner.ended(this);
    endIo(io, error);
  }

  #degraded(): CevError {
    const message = "the stripes cannot be written: more members are gone than the parity makes up for";
    return degradedError(this.#io!, this.#engine.name, message);
  }
}

function settled(error: CevError | null, zeroes: StripeZeroes): void {
  zeroes.onSettled(error);
}
