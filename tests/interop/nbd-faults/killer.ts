import { setTimeout as sleep } from "node:timers/promises";
import type { Random } from "../src/random.ts";
import type { MortalServer } from "./mortal-server.ts";

/** Kills a server now and again, and starts it anew: mostly at once, sometimes after a while. */
export class Killer {
  #isOver = false;
  readonly #done: Promise<void>;

  constructor(server: MortalServer, random: Random) {
    this.#done = this.#work(server, random);
    // Whoever stops it hears of it.
    this.#done.catch(() => undefined);
  }

  /** Afterwards the server runs. Fails when it could not be started. */
  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#done;
  }

  async #work(server: MortalServer, random: Random): Promise<void> {
    while (!this.#isOver) {
      await sleep(50 + random.below(random.below(3) === 0 ? 4000 : 1000));
      await server.kill();
      if (random.below(4) === 0) await sleep(random.below(2500));
      await server.start();
    }
  }
}
