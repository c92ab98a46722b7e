import type { StatusExtent } from "../../protocol/chunk.ts";
import type { Export } from "../exports/export.ts";

export type { StatusExtent } from "../../protocol/chunk.ts";

/** What a client asks a context for. In bytes; whole blocks of the export. */
export interface StatusQuery {
  readonly offset: number;
  /** More than 0. */
  readonly length: number;
  readonly countMax: number;
  /** The first extent is enough. */
  readonly isOne: boolean;
}

/** Pieces of a device that are looked at for one answer: so a terabyte of stripes does not keep others waiting. */
export const STATUS_EFFORT_MAX = 65_536;

/** A metadata context of one export: answers `NBD_CMD_BLOCK_STATUS`. */
export interface MetaContext {
  /** As it was selected, with its namespace: "base:allocation". */
  readonly name: string;
  /**
   * Extents from `offset` on, at least one, at most `countMax`, none of them of no length, neighbours of different status, and not past
   * the end of the range; they may end before it does. Rejects with a `CevError`.
   */
  status(query: StatusQuery): Promise<readonly StatusExtent[]>;
}

/** The contexts of a namespace, such as "base". A server takes further ones than its own: of backups, say, what has changed. */
export interface ContextProvider {
  /** Without the colon. Those that the protocol does not know begin with "x-". */
  readonly namespace: string;
  /** The names that fit a query, whole; `leaf` is what follows the colon of the query, and empty for all there are. */
  list(target: Export, leaf: string): readonly string[];
  /** The context of this very name; null: there is none. */
  find(target: Export, leaf: string): MetaContext | null;
}

/** Adds an extent to others; one that goes on with the same status becomes part of the last. */
export function addStatus(extents: StatusExtent[], { length, status }: StatusExtent): void {
  const last = extents.at(-1);
  if (last?.status === status) extents[extents.length - 1] = { length: last.length + length, status };
  else extents.push({ length, status });
}
