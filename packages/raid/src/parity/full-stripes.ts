import type { CevError, Io, PoolBuffer } from "@cev/core";
import { degradedError } from "../array/failure.ts";
import { endIo, holdChain } from "./end-io.ts";
import { MemberWrites } from "./member-writes.ts";
import type { FullMember, MemberWritesOwner } from "./member-writes.ts";
import type { ParityEngine } from "./parity-engine.ts";
import { StripeRun } from "./stripe-run.ts";
import { restoreParity } from "./sync-slice.ts";

/**
 * A write of full stripes in a row, and what follows from members that fail it or are full. What the members get is up to
 * those that extend it: they add it to `writes` once the run is locked. Used for one request after the other.
 */
export abstract class FullStripes implements MemberWritesOwner {
  /** The array's, for those who watch. */
  readonly name: string;
  protected readonly engine: ParityEngine;
  /** The stripes that are written now. */
  protected readonly run: StripeRun;
  protected readonly writes: MemberWrites;
  protected io: Io | null = null;
  /** What is written, where that was put together. */
  protected buffer: PoolBuffer | null = null;
  /** Some members may hold what is written, and others not. */
  #isTorn = false;

  constructor(engine: ParityEngine) {
    this.name = engine.name;
    this.engine = engine;
    this.run = new StripeRun(engine, this);
    this.writes = new MemberWrites(engine, this);
  }

  /** @internal The stripes are locked, and the metadata says that they are about to change. */
  onRun(error: CevError | null): void {
    if (error !== null) this.leave(error);
    else this.onReady();
  }

  onWritten(): void {
    const { array } = this.engine;
    if (array.isBroken) return this.leave(this.degraded());
    this.#isTorn = false;
    array.syncedByWrite(this.run.start, this.run.end);
    this.onRunWritten();
  }

  /** The members stay, and the parity is made to fit what they hold now. Where that cannot be, they are failed after all. */
  onFull(full: readonly FullMember[]): void {
    holdChain(this.io!);
    this.#release();
    restoreParity(this.engine, this.run.start, this.run.end).then(
      () => {
        this.#isTorn = false;
        this.leave(full[0]!.error);
      },
      () => {
        // The parity may fit what it held before by now: the write has failed too.
        for (const { member, error } of full) this.writes.fail(member, error);
        this.leave(full[0]!.error);
      },
    );
  }

  onRefused(error: CevError): void {
    this.#isTorn = false;
    this.leave(error);
  }

  /** @internal */
  onSettled(error: CevError | null): void {
    // Broken meanwhile: no superblock tells which members missed it.
    this.leave(error === null && this.engine.array.isBroken ? this.degraded() : error);
  }

  /** The run may be written. */
  protected abstract onReady(): void;

  /** The members hold the run. */
  protected abstract onRunWritten(): void;

  /** The request is about to end; the object is free again. */
  protected abstract onLeft(): void;

  /** Sends out what was added to `writes`. */
  protected submit(): void {
    this.#isTorn = true;
    this.writes.submit();
  }

  /** Success is not told before the superblocks name the members that missed it. */
  protected settle(): void {
    const keeper = this.engine.array.keeper!;
    if (!keeper.isUpdating) return this.leave(null);
    holdChain(this.io!);
    keeper.whenSettled(settled, this);
  }

  protected leave(error: CevError | null): void {
    const io = this.io!;
    this.io = null;
    this.#release();
    this.run.leave(error === null || !this.#isTorn);
    // The same object may be used again before the request has ended.
    this.#isTorn = false;
    this.onLeft();
    endIo(io, error);
  }

  protected degraded(): CevError {
    const message = "the stripes cannot be written: more members are gone than the parity makes up for";
    return degradedError(this.io!, this.name, message);
  }

  #release(): void {
    if (this.buffer !== null) this.engine.buffers.release(this.buffer);
    this.buffer = null;
  }
}

function settled(error: CevError | null, write: FullStripes): void {
  write.onSettled(error);
}
