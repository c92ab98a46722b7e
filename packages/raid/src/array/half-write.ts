import { Io, IoFlag } from "@cev/core";
import type { CevError, CompoundIo, SubIo } from "@cev/core";

/** Who sent out a write that is half done. */
export interface HalfWrite {
  /** A sub-write was tried again, and failed for good. `tag`: of the sub-I/O. */
  redoFailed(tag: number, error: CevError): void;
  /** All that were tried again have ended. */
  redone(): void;
}

/** A write's error that says nothing about the member: a second attempt may well succeed. */
export function isWorthRedoing(error: CevError | null): boolean {
  return error?.code === "CEV_CANCELLED" || error?.code === "CEV_NO_MEMORY";
}

/**
 * What the members hold must stay equal: what a cancel (or a moment without memory) kept from being written is written
 * after all, outside the cancel's reach; what is not offered fast, slowly. The `Io` above is held until `redone`: the
 * caller's memory stays what it is as long. Precondition: `isLeft` accepts one of the sub-writes.
 */
export function redoHalf(
  compound: CompoundIo,
  write: HalfWrite,
  isLeft: (error: CevError | null) => boolean = isWorthRedoing,
): void {
  redoSubs(
    compound.subs.slice(0, compound.subCount).filter(({ io }) => isLeft(io.error)),
    write,
  );
}

/** The same for these sub-writes of a compound, of which there is at least one. A list of the caller's own. */
export function redoSubs(left: readonly SubIo[], write: HalfWrite): void {
  const redo: Redo = { write, leftCount: left.length };
  for (const { io, tag, lower } of left) {
    const flags = io.flags & ~IoFlag.fastZero;
    const again = new Io(io.runQueue).prepare(io.op, io.offset, io.length, io.data, io.dataOffset, flags);
    again.setOwner(ended, { redo, tag });
    lower.submit(again);
  }
}

interface Redo {
  readonly write: HalfWrite;
  leftCount: number;
}

function ended(again: Io, { redo, tag }: { readonly redo: Redo; readonly tag: number }): void {
  if (again.error !== null) redo.write.redoFailed(tag, again.error);
  if (--redo.leftCount === 0) redo.write.redone();
}
