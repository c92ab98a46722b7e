import type { Collation, CompoundIo, SubIo } from "./compound-io.ts";

/**
 * Parts of one range, added in order: the first failed part decides the error, and `transferred` counts the
 * bytes before it (linear volumes, windows, splits to limits).
 */
export const concatenate: Collation = {
  name: "concatenate",
  ended: null,
  merge(compound) {
    if (compound.firstError() === null) return;
    let transferred = 0;
    for (let index = 0; index < compound.subCount; index++) {
      const part = compound.subs[index]!.io;
      transferred += part.transferred;
      if (part.error !== null) {
        compound.io.error = part.error;
        compound.io.transferred = transferred;
        return;
      }
    }
  },
};

/** All must succeed; the error of the first that failed, nothing counted as transferred (flush, mirrored writes). */
export const allMustSucceed: Collation = {
  name: "all must succeed",
  ended: null,
  merge(compound) {
    const error = compound.firstError();
    if (error === null) return;
    compound.io.error = error;
    compound.io.transferred = 0;
  },
};

/** Succeeds with the `count`-th success and cancels the rest; fails when too few succeed. See `CompoundIo.decide`. */
export function quorum(count: number): Collation {
  return {
    name: count === 1 ? "first answer" : `quorum of ${count}`,
    ended(compound: CompoundIo, sub: SubIo): void {
      if (sub.io.error === null && successes(compound, sub) >= count) compound.decide();
    },
    merge(compound: CompoundIo): void {
      if (compound.pendingCount > 0 || successes(compound, null) >= count) return;
      compound.io.error ??= compound.firstError();
      compound.io.transferred = 0;
    },
  };
}

/** The first success is the answer. */
export const firstAnswer: Collation = quorum(1);

function successes(compound: CompoundIo, ending: SubIo | null): number {
  let count = 0;
  for (let index = 0; index < compound.subCount; index++) {
    const sub = compound.subs[index]!;
    if (sub === ending || sub.io.isUpToDate) count++;
  }
  return count;
}
