import type { AbortSignalLike, Device, Environment, NamedLayer, Problem } from "@cev/core";
import type { CommandRequest } from "./request.ts";

/** Where long work stands. */
export interface CommandProgress {
  /** "zeroing root", "merging snap into root"… */
  readonly what: string;
  /** Bytes. */
  readonly done: number;
  readonly total: number;
}

/** A text that a command replaced, for an archive as LVM2 keeps one. */
export interface ArchivedText {
  readonly group: string;
  readonly uuid: string;
  readonly seqno: number;
  /** The metadata text as it was, which `vgcfgrestore` takes. */
  readonly text: string;
}

/** What the commands are given besides their requests. */
export interface CommandContext {
  readonly environment: Environment;
  /** Opened for writing, unless only to look or for a dry run. Their names are what requests call them. */
  readonly devices: readonly Device[];
  /** Who writes, for the text: the host's name. Default "cev". */
  readonly hostname?: string | undefined;
  /** What this host is called in the text of groups that belong to one host only. Such groups of others are not changed. */
  readonly systemId?: string | undefined;
  /** For the text's `description`: the command line, say. By default made of the request. */
  readonly description?: string | undefined;
  /** Everything is done but the writes. */
  readonly isDryRun?: boolean | undefined;
  readonly signal?: AbortSignalLike | undefined;
  /** What does not stop the work: copies that are damaged, members that are missing. */
  report?(problem: Problem): void;
  progress?(progress: CommandProgress): void;
  /** Called before anything of a group is overwritten. What it throws stops the command. Not called in a dry run. */
  archive?(old: ArchivedText): void | Promise<void>;
  /** Needed by `lvconvert --merge` alone. */
  readonly mergeStore?: MergeStore | undefined;
}

/** A store of exceptions. */
export interface StoreRequest {
  readonly store: NamedLayer;
  /** Bytes. */
  readonly chunkSize: number;
  /** Bytes of the snapshot: the size its origin had. */
  readonly size: number;
}

/** What merging a snapshot stands on. The layers are open, and claimed by nobody. */
export interface MergeStoreRequest extends StoreRequest {
  readonly environment: Environment;
  readonly origin: NamedLayer;
  /** Other snapshots of the origin, which must not see it change. */
  readonly others: readonly (StoreRequest & { readonly name: string })[];
  readonly signal?: AbortSignalLike;
  readonly onProgress: (progress: { readonly mergedBytes: number; readonly totalBytes: number }) => void;
}

/**
 * Copies what a snapshot's store holds back into its origin, and is through when the store is empty: it may be cut short at any
 * write and called again. Comes from the package that knows the store's format, through the caller.
 */
export type MergeStore = (request: MergeStoreRequest) => Promise<unknown>;

/** Something written to a device, or to be written. */
export interface PlannedWrite {
  readonly device: string;
  /** "label", "metadata area 0", "zeroes for root"… */
  readonly what: string;
  /** Bytes. */
  readonly offset: number;
  readonly length: number;
}

/** What a command did, or in a dry run would have done. Plain data. */
export interface CommandResult {
  readonly command: CommandRequest["command"];
  readonly isDryRun: boolean;
  /** Name of the group that was changed; null: none. */
  readonly group: string | null;
  /** Of the text that was read, and of the one that was written; null: there is none. */
  readonly seqnoBefore: number | null;
  readonly seqnoAfter: number | null;
  /** What was done, a line each, as LVM2 says it: `Logical volume "root" created.` */
  readonly messages: readonly string[];
  /** What may not be meant so. */
  readonly warnings: readonly string[];
  readonly writes: readonly PlannedWrite[];
  /** The metadata text that was written, or for `vgcfgbackup` read; null: none. */
  readonly text: string | null;
  /** Rows of `pvs`, `vgs`, `lvs`, and the faults that `vgck` found. */
  readonly rows: readonly CommandRow[];
}

/** One line of a listing. Sizes in bytes. */
export type CommandRow = { readonly [column: string]: string | number | boolean | null | readonly string[] };
