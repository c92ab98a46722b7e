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
    kinds: ["raid-exchange"],
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
    kinds: ["raid-pair"],
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
  {
    name: "stale-copy",
    what: "a member that is being rebuilt is read behind where its rebuild has come",
    file: "raid/src/array/member.ts",
    edits: [
      {
        find: 'if (this.#state !== "in sync" && !(this.#state === "rebuilding" && end <= this.recoveredTo)) return false;',
        replace: 'if (this.#state !== "in sync" && this.#state !== "rebuilding") return false;',
      },
    ],
    kinds: ["raid-mirror"],
  },
  {
    name: "wide-discard",
    what: "a discard that is not of whole blocks takes the blocks at its ends along",
    file: "core/src/adapters/block-layer.ts",
    edits: [
      {
        find: "const start = Math.ceil(offset / this.lowerBlockSize) * this.lowerBlockSize;\n    const end = Math.floor((offset + length)",
        replace:
          "const start = Math.floor(offset / this.lowerBlockSize) * this.lowerBlockSize;\n    const end = Math.ceil((offset + length)",
      },
    ],
    kinds: ["no-op", "partition"],
  },
  {
    name: "kept-tweaks",
    what: "tweaks that are kept for the next requests of a stream are taken for those of one sector further on",
    file: "crypt/src/cipher/tweak-run.ts",
    edits: [
      { find: "    this.#first = sector;\n", replace: "    this.#first = sector + this.#sectorStep;\n" },
    ],
    kinds: ["crypt"],
  },
  {
    name: "shared-chunk",
    what: "two writes to parts of one compressed chunk are under way together",
    file: "convert/src/compress/compress-layer.ts",
    edits: [
      {
        find: "this.#locks.acquire(firstChunk, count, isExclusive, resolve, null)",
        replace: "this.#locks.acquire(firstChunk, count, isExclusive && count > 1, resolve, null)",
      },
    ],
    kinds: ["compress"],
  },
  {
    name: "open-commit",
    what: "the metadata of a group is written without a flush between text and header",
    file: "lvm/src/disk/commit.ts",
    edits: [{ find: "        await device.flush();\n", replace: "" }],
    kinds: ["lvm-snapshot"],
  },
  {
    name: "unflushed-merge",
    what: "exceptions are cleared before what was merged is durable",
    file: "snapshot/src/merge-snapshot.ts",
    edits: [
      {
        find: 'if (this.#options.origin.layer.support.flush !== "none")',
        replace: "if (this.#count < 0)",
      },
    ],
    kinds: ["lvm-snapshot"],
  },
  {
    name: "lost-growth-bits",
    what: "the bits of a bitmap are taken over before the writes under way have set theirs, when an array grows",
    file: "raid/src/array/grow.ts",
    edits: [
      {
        find: "keeper.rebase({ sizeSectors: sectors }, grownBitmap(keeper, after));",
        replace: "keeper.rebase({ sizeSectors: sectors }, bitmap);",
      },
      {
        find: "  if (planSize(growth, size) === null) return;\n",
        replace:
          "  const early = planSize(growth, size);\n  if (early === null) return;\n  const bitmap = grownBitmap(keeper, early.after);\n",
      },
    ],
    kinds: ["raid-growth"],
  },
];
