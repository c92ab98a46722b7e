import type { KeyVault } from "@cev/core";

/** Keeps derived keys in memory while a stack is being opened: what is opened more than once is unlocked once. */
export class MemoryVault implements KeyVault, Disposable {
  readonly #keys = new Map<string, Uint8Array>();

  recall(name: string): Uint8Array | null {
    return this.#keys.get(name)?.slice() ?? null;
  }

  keep(name: string, key: Uint8Array): void {
    this.#keys.get(name)?.fill(0);
    this.#keys.set(name, key.slice());
  }

  /** Overwrites and forgets all of them. */
  [Symbol.dispose](): void {
    for (const key of this.#keys.values()) key.fill(0);
    this.#keys.clear();
  }
}
