import { Progress } from "../progress.ts";
import type { SyncDetail } from "./array-detail.ts";

/** Draws a bar for each work in the background, one after the other. */
export class SyncBars implements Disposable {
  readonly #isForced: boolean;
  #bar: Progress | null = null;
  #action = "";
  #total = 0;

  constructor(isForced: boolean) {
    this.#isForced = isForced;
  }

  update({ action, done, total }: SyncDetail): void {
    if (action !== this.#action || total !== this.#total) {
      this.#bar?.[Symbol.dispose]();
      this.#bar = new Progress(WORDS[action] ?? action, total, this.#isForced, done);
      this.#action = action;
      this.#total = total;
    }
    this.#bar?.to(done);
  }

  /** All of the last work is done. */
  finish(): void {
    this.#bar?.to(this.#total);
    this[Symbol.dispose]();
  }

  [Symbol.dispose](): void {
    this.#bar?.[Symbol.dispose]();
    this.#bar = null;
    this.#action = "";
  }
}

const WORDS: Readonly<Record<string, string>> = {
  resync: "resync",
  recover: "rebuild",
  check: "check",
  repair: "repair",
};
