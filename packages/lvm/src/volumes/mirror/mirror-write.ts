import type { CevError, Collation, Io, Op, RangeLockEntry } from "@cev/core";
import { ioError } from "@cev/core";
import type { MirrorLayer } from "./mirror-layer.ts";

/** One write to all images: with its bytes locked, so that writes that overlap reach all images in one order. */
export class MirrorWrite {
  /** For those who watch. */
  readonly owner: MirrorLayer;
  readonly io: Io;
  /** Of the parts: a discard goes down as zeroes. */
  readonly op: Op;
  readonly #first: number;
  readonly #last: number;
  #lock: RangeLockEntry | null = null;

  constructor(owner: MirrorLayer, io: Io, op: Op) {
    this.owner = owner;
    this.io = io;
    this.op = op;
    this.#first = Math.floor(io.offset / owner.regionSize);
    this.#last = Math.floor((io.offset + Math.max(1, io.length) - 1) / owner.regionSize);
  }

  start(): void {
    const { io, owner } = this;
    owner.locks.acquire(io.offset, io.length, true, lockGranted, this);
  }

  granted(lock: RangeLockEntry): void {
    const { log } = this.owner;
    this.#lock = lock;
    if (log.begin(this.#first, this.#last)) this.#send();
    else log.marked().then(this.#send.bind(this), this.#notMarked.bind(this));
  }

  /** All images have answered: the first decides. `errors`: by image; null: none failed. */
  merge(errors: ReadonlyMap<number, CevError> | null): void {
    const { owner, io } = this;
    if (errors !== null) {
      for (const [index, error] of errors)
        if (index > 0 && error.code !== "CEV_CANCELLED") owner.imageFailed(index, error);
      const error = errors.get(0);
      if (error !== undefined) {
        io.error = error;
        io.transferred = 0;
      }
    }
    this.#end(errors === null && owner.isWhole);
  }

  #send(): void {
    const { owner, io, op } = this;
    const compound = owner.compounds.over(io, WRITE, this);
    const { images } = owner;
    for (let index = 0; index < images.length; index++) {
      const image = images[index];
      if (image === null || image === undefined || !owner.isUsable(index)) continue;
      const data = io.data.length === 0 ? null : io.data;
      compound.add(image, op, io.offset, io.length, data, io.dataOffset, io.flags).tag = index;
    }
    compound.submit();
  }

  /** The log cannot be written, so nothing was. */
  #notMarked(cause: unknown): void {
    const { io, owner } = this;
    const message = cause instanceof Error ? cause.message : String(cause);
    this.#end(true);
    io.complete(
      ioError(io, "CEV_IO", `the log of the mirror could not be written: ${message}`, owner.name, cause),
    );
  }

  #end(isSame: boolean): void {
    this.owner.ended(this.#first, this.#last, isSame);
    this.owner.locks.release(this.#lock!);
  }
}

function lockGranted(lock: RangeLockEntry, write: MirrorWrite): void {
  write.granted(lock);
}

const WRITE: Collation = {
  name: "mirror write",
  ended: null,
  merge(compound) {
    const write = compound.context as MirrorWrite;
    if (compound.firstError() === null) return write.merge(null);
    const errors = new Map<number, CevError>();
    for (let index = 0; index < compound.subCount; index++) {
      const { io, tag } = compound.subs[index]!;
      if (io.error !== null) errors.set(tag, io.error);
    }
    write.merge(errors);
  },
};
