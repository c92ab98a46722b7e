/** A defect that is planted into a source while it is loaded: none of them is in the tree. */
export interface Mutant {
  readonly name: string;
  /** What is wrong then. */
  readonly what: string;
  /** Below `packages`. */
  readonly file: string;
  /** Is there exactly once. */
  readonly find: string;
  readonly replace: string;
  /** Kinds among which it is looked for. */
  readonly kinds: readonly string[];
}

/** The defects that the simulator must find. */
export const MUTANTS: readonly Mutant[] = [
  {
    name: "flush-one",
    what: "a flush reaches one lower only",
    file: "core/src/segments/segment-layer.ts",
    find: "for (const lower of this.lowers) compound.add(lower, Op.flush",
    replace: "for (const lower of this.lowers.slice(0, 1)) compound.add(lower, Op.flush",
    kinds: ["lvm", "drive-link"],
  },
  {
    name: "lost-fua",
    what: "FUA is lost where a request is split",
    file: "core/src/segments/segment-layer.ts",
    find: "io.data, dataOffset, io.flags);",
    replace: "io.data, dataOffset, 0);",
    kinds: ["lvm", "drive-link"],
  },
  {
    name: "no-flush-after",
    what: "a durable write without its flush",
    file: "core/src/adapters/emulation-layer.ts",
    find: "if (io.error === null) layer.flushFor(io);",
    replace: "void layer;",
    kinds: ["no-op", "partition"],
  },
  {
    name: "unlocked-modify",
    what: "part of a block is read, altered and written without a lock",
    file: "core/src/adapters/block-layer.ts",
    find: "this.#locks.acquire(start, end - start, !isAligned,",
    replace: "this.#locks.acquire(start, end - start, false,",
    kinds: ["no-op", "partition"],
  },
  {
    name: "stale-parity",
    what: "the parity leaves out the first column that was written",
    file: "raid/src/parity/slice-parity.ts",
    find: "      if (written[column] === 0) continue;\n      kernel.add(bytes, places[column]!);",
    replace:
      "      if (written[column] === 0 || column === 0) continue;\n      kernel.add(bytes, places[column]!);",
    kinds: ["raid"],
  },
  {
    name: "dirty-later",
    what: "data is written before the superblock says that the array is dirty",
    file: "raid/src/array/metadata-keeper.ts",
    find: "if (!this.#isActive && this.#isRedundant) return false;",
    replace: "",
    kinds: ["raid"],
  },
  {
    name: "cleared-bits",
    what: "bits of the bitmap are cleared while a member is missing",
    file: "raid/src/array/metadata-keeper.ts",
    find: "const isWhole = isComplete && this.#array.lostCount === 0;",
    replace: "const isWhole = isComplete;",
    kinds: ["raid"],
  },
  {
    name: "unnamed-loss",
    what: "a write succeeds before the superblocks name who missed it",
    file: "raid/src/mirror/mirror-write.ts",
    find: "if (!array.keeper!.isUpdating) return this.#resume();",
    replace: "if (array.keeper !== null) return this.#resume();",
    kinds: ["raid"],
  },
  {
    name: "early-exceptions",
    what: "exceptions are written before their data is durable",
    file: "snapshot/src/commit-queue.ts",
    find: 'if (this.#store.support.flush === "none") this.write();',
    replace: "if (this.#store !== null) this.write();",
    kinds: ["snapshot"],
  },
  {
    name: "soft-exceptions",
    what: "exceptions are written without FUA",
    file: "snapshot/src/commit-queue.ts",
    find: 'const flags = this.#store.support.fua === "none" ? 0 : IoFlag.fua;',
    replace: "const flags = IoFlag.fua * 0;",
    kinds: ["snapshot"],
  },
];
