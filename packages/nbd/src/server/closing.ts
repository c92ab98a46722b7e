import { Op, isCevError, request } from "@cev/core";
import type { CevError } from "@cev/core";
import type { Export } from "./exports/export.ts";

/** An export that a close did not flush: with the error of the flush, or null when it was not waited for. */
export interface Unflushed {
  readonly export: string;
  readonly error: CevError | null;
}

/** What a close left undone; both empty when all is well. */
export interface CloseReport {
  readonly unflushed: readonly Unflushed[];
  /** Requests that were under way when it was forced. */
  readonly abandonedCount: number;
}

/** The last flush of exports: which of them have not had it yet, and why. */
export class LastFlush {
  readonly #waiting = new Map<Export, CevError | null>();

  constructor(exports: readonly Export[]) {
    for (const each of exports) if (needsFlush(each)) this.#waiting.set(each, null);
  }

  /** Flushes them all. Errors are in `report`. */
  async run(): Promise<void> {
    await Promise.all([...this.#waiting.keys()].map((each) => this.#flush(each)));
  }

  /** Those that were not flushed. */
  report(): Unflushed[] {
    return [...this.#waiting].map(([each, error]) => ({ export: each.name, error }));
  }

  async #flush(target: Export): Promise<void> {
    const { device } = target;
    try {
      await request(device, device.environment, Op.flush, 0, 0);
      this.#waiting.delete(target);
    } catch (error) {
      if (!isCevError(error)) throw error;
      this.#waiting.set(target, error);
    }
  }
}

function needsFlush({ device, isReadOnly }: Export): boolean {
  return !isReadOnly && device.support.flush !== "none";
}
