import type { BufferPool } from "@cev/core";
import { BenchPool } from "./bench-pool.ts";
import type { LowerOptions, Manifest, Subject } from "./subject.ts";

/** What a layer left on its disks when it was closed, to begin from any number of times. */
export interface Kept {
  readonly images: readonly Uint8Array[];
  /** How the disks were asked for. */
  readonly asked: readonly LowerOptions[];
}

/** A subject, and what its tests hand on to one another so that not each has to make it anew. */
export class Tested {
  readonly subject: Subject;
  readonly manifest: Manifest;
  readonly #pools: BufferPool[] = [];
  readonly #made = new Map<string, Promise<unknown>>();

  constructor(subject: Subject) {
    this.subject = subject;
    this.manifest = subject.manifest;
  }

  /** Memory for a layer. What lies in it is what the last one left, as in life. */
  takePool(): BufferPool {
    return this.#pools.pop() ?? new BenchPool();
  }

  /** For the next one. Only a pool of which nothing is lent, and of which nobody is left who could ask for any. */
  givePool(pool: BufferPool): void {
    this.#pools.push(pool);
  }

  /** Makes something once. */
  once<T>(name: string, make: () => Promise<T>): Promise<T> {
    let made = this.#made.get(name);
    if (made === undefined) this.#made.set(name, (made = make()));
    return made as Promise<T>;
  }
}
