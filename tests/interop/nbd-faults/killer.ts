import { setTimeout as sleep } from "node:timers/promises";
import type { Random } from "../src/random.ts";
import type { MortalServer } from "./mortal-server.ts";

/** Longer than any client needs to come back on a busy machine. */
const PROGRESS_MAX_MS = 30_000;

/**
 * Kills a server now and again, and starts it anew: mostly at once, sometimes after a while. Mostly its clients get on before it is
 * killed again (`progress` counts what was answered), sometimes they are still coming back.
 */
export class Killer {
  #isOver = false;
  readonly #done: Promise<void>;

  constructor(server: MortalServer, random: Random, progress: () => number) {
    this.#done = this.#work(server, random, progress);
    // Whoever stops it hears of it.
    this.#done.catch(() => undefined);
  }

  /** Afterwards the server runs. Fails when it could not be started. */
  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#done;
  }

  async #work(server: MortalServer, random: Random, progress: () => number): Promise<void> {
    while (!this.#isOver) {
      if (random.below(4) > 0) {
        const before = progress();
        const end = Date.now() + PROGRESS_MAX_MS;
        while (progress() === before && Date.now() < end && !this.#isOver) await sleep(5);
      }
      await sleep(random.below(random.below(3) === 0 ? 3000 : 500));
      await server.kill();
      if (random.below(4) === 0) await sleep(random.below(2500));
      await server.start();
    }
  }
}
