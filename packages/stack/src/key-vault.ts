import type { KeyVault } from "@cev/core";

/** Keeps derived keys in memory while a stack is being opened: what is opened more than once is unlocked once. */
export class MemoryVault implements KeyVault, Disposable {
  readonly #keys = new Map<string, Uint8Array>();

  recall(name: string): Uint8Array | null {
    const key = this.#keys.get(name);
    return key === undefined ? null : Uint8Array.from(key);
  }

  keep(name: string, key: Uint8Array): void {
    this.#keys.get(name)?.fill(0);
    this.#keys.set(name, Uint8Array.from(key));
  }

  /** Overwrites and forgets all of them. */
  [Symbol.dispose](): void {
    for (const key of this.#keys.values()) key.fill(0);
    this.#keys.clear();
  }
}
