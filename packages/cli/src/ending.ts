import { ExitStatus } from "./exit-status.ts";
import { complain } from "./output.ts";
import { Signals } from "./signals.ts";

/** Waits for the signals that end a server. */
export class Ending implements Disposable {
  readonly first: Promise<void>;
  readonly second: Promise<void>;
  /** There was a second one. */
  isForced = false;
  readonly #signals: Signals;

  constructor() {
    const first = Promise.withResolvers<undefined>();
    const second = Promise.withResolvers<undefined>();
    this.first = first.promise;
    this.second = second.promise;
    this.#signals = new Signals((_signal, count) => {
      this.isForced = count > 1;
      (count === 1 ? first : second).resolve(undefined);
    });
  }

  /** Waits for the closing of what was served; the second signal ends the process all the same. */
  async outlast(closing: Promise<void>): Promise<void> {
    const forced = this.second.then(() => {
      complain("ended before everything was closed; what was written last may be lost");
      this.exit();
    });
    await Promise.race([closing, forced]);
  }

  /** Exits without waiting for anything but calls that are under way in the system: a third signal ends those, too. */
  exit(): never {
    this[Symbol.dispose]();
    process.exit(ExitStatus.failed);
  }

  [Symbol.dispose](): void {
    this.#signals[Symbol.dispose]();
  }
}
