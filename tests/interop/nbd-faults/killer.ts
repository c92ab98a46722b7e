import { setTimeout as sleep } from "node:timers/promises";
import type { Random } from "../src/random.ts";
import type { MortalServer } from "./mortal-server.ts";

/** Longer than any client needs to come back on a busy machine. */
const PROGRESS_MAX_MS = 30_000;

/**
 * Kills a server now and again, and starts it anew: mostly at once, sometimes after a while. Mostly its clients get on before it is
 * killed again (`progress` is over when they have), sometimes they are still coming back.
 */
export class Killer {
  #isOver = false;
  readonly #done: Promise<void>;

  constructor(server: MortalServer, random: Random, progress: () => Promise<unknown>) {
    this.#done = this.#work(server, random, progress);
    // Whoever stops it hears of it.
    this.#done.catch(() => undefined);
  }

  /** Afterwards the server runs. Fails when it could not be started. */
  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#done;
  }

  async #work(server: MortalServer, random: Random, progress: () => Promise<unknown>): Promise<void> {
    while (!this.#isOver) {
      if (random.below(4) > 0) {
        await Promise.race([progress(), sleep(PROGRESS_MAX_MS, null, { ref: false })]);
      }
      await sleep(random.below(random.below(3) === 0 ? 3000 : 500));
      await server.kill();
      if (random.below(4) === 0) await sleep(random.below(2500));
      await server.start();
    }
  }
}
