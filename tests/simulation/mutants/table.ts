/** Text of a source, which is there exactly once, and what stands in its place then. */
export interface Edit {
  readonly find: string;
  readonly replace: string;
}

/** A defect that is planted into a source while it is loaded: none of them is in the tree. */
export interface Mutant {
  readonly name: string;
  /** What is wrong then. */
  readonly what: string;
  /** Below `packages`. */
  readonly file: string;
  readonly edits: readonly Edit[];
  /** Kinds among which it is looked for. */
  readonly kinds: readonly string[];
}

/** The defects that the simulator must find. */
export const MUTANTS: readonly Mutant[] = [
  {
    name: "flush-one",
    what: "a flush reaches one lower only",
    file: "core/src/segments/segment-layer.ts",
    edits: [
      {
        find: "for (const lower of this.lowers) compound.add(lower, Op.flush",
        replace: "for (const lower of this.lowers.slice(0, 1)) compound.add(lower, Op.flush",
      },
    ],
    kinds: ["lvm", "drive-link"],
  },
  {
    name: "lost-fua",
    what: "FUA is lost where a request is split",
    file: "core/src/segments/segment-layer.ts",
    edits: [
      {
        find: "io.data, dataOffset, io.flags);",
        replace: "io.data, dataOffset, 0);",
      },
    ],
    kinds: ["lvm", "drive-link"],
  },
  {
    name: "no-flush-after",
    what: "a durable write without its flush",
    file: "core/src/adapters/emulation-layer.ts",
    edits: [
      {
        find: "if (io.error === null) layer.flushFor(io);",
        replace: "void layer;",
      },
    ],
    kinds: ["no-op", "partition"],
  },
  {
    name: "unlocked-modify",
    what: "part of a block is read, altered and written without a lock",
    file: "core/src/adapters/block-layer.ts",
    edits: [
      {
        find: "this.#locks.acquire(start, end - start, !isAligned,",
        replace: "this.#locks.acquire(start, end - start, false,",
      },
    ],
    kinds: ["no-op", "partition"],
  },
  {
    name: "stale-parity",
    what: "the parity leaves out the first column that was written",
    file: "raid/src/parity/slice-parity.ts",
    edits: [
      {
        find: "      if (written[column] === 0) continue;\n      kernel.add(bytes, places[column]!);",
        replace:
          "      if (written[column] === 0 || column === 0) continue;\n      kernel.add(bytes, places[column]!);",
      },
    ],
    kinds: ["raid-parity"],
  },
  {
    name: "dirty-later",
    what: "data is written before the superblock says that the array is dirty",
    file: "raid/src/array/metadata-keeper.ts",
    edits: [
      {
        find: "if (!this.#isActive && this.#isRedundant) return false;",
        replace: "",
      },
    ],
    kinds: ["raid-mirror", "raid-parity"],
  },
  {
    name: "cleared-bits",
    what: "bits of the bitmap go after a rebuild, and nothing tells who was away before that it reaches back no further",
    file: "raid/src/array/metadata-keeper.ts",
    edits: [
      {
        find: "if (this.#array.lostCount === 0 && this.#intents?.isReachOpen === true) this.#noteCleared();",
        replace: "",
      },
    ],
    kinds: ["raid-mirror"],
  },
  {
    name: "unnamed-loss",
    what: "a write succeeds before the superblocks name who missed it",
    file: "raid/src/mirror/mirror-write.ts",
    edits: [
      {
        find: "if (!array.keeper!.isUpdating) return this.#resume();",
        replace: "if (array.keeper !== null) return this.#resume();",
      },
    ],
    kinds: ["raid-mirror"],
  },
  {
    name: "early-exceptions",
    what: "exceptions are written before their data is durable",
    file: "snapshot/src/commit-queue.ts",
    edits: [
      {
        find: 'if (this.#store.support.flush === "none") this.write();',
        replace: "if (this.#store !== null) this.write();",
      },
    ],
    kinds: ["snapshot"],
  },
  {
    name: "soft-exceptions",
    what: "exceptions are written without FUA",
    file: "snapshot/src/commit-queue.ts",
    edits: [
      {
        find: 'const flags = this.#store.support.fua === "none" ? 0 : IoFlag.fua;',
        replace: "const flags = IoFlag.fua * 0;",
      },
    ],
    kinds: ["snapshot"],
  },
  {
    name: "early-clean",
    what: "a region of a mirror is called clean before its images are flushed",
    file: "lvm/src/volumes/mirror/region-log.ts",
    edits: [{ find: "    await flush();\n", replace: "" }],
    kinds: ["lvm-group"],
  },
  {
    name: "soft-records",
    what: "records name compressed chunks that are not durable yet",
    file: "convert/src/compress/committer.ts",
    edits: [
      {
        find: "      // The data first: what a record names has to be there.\n      await this.#flush();",
        replace: "",
      },
    ],
    kinds: ["compress"],
  },
  {
    name: "early-reuse",
    what: "units are used again before it is durable that nothing lies there any more",
    file: "convert/src/compress/chunk-map.ts",
    edits: [
      {
        find: "    this.#pending.set(chunk, entry);\n",
        replace:
          "    if (superseded === undefined || this.#taken?.changes.get(chunk) === superseded) this.#free(before);\n    this.#pending.set(chunk, entry);\n",
      },
      {
        find: "      this.#free(decodeEntry(this.#view, at));\n",
        replace: "",
      },
    ],
    kinds: ["compress"],
  },
];
