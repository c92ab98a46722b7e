import type { ClientCommand } from "./command.ts";
import type { Link } from "./link.ts";

// Of each connection: once so many may be under way, there is nothing to be careful about.
const WINDOW_MAX = 64;

/** Commands that were lost with a connection and are not answered since, and how carefully the next one is begun with. */
export class Losses {
  /**
   * How many commands may be under way: after a loss one, and with every answer twice as many. So a line that breaks again and again
   * gets one through after the other, and a server that dies of one request is found to do so.
   */
  #windowMax = Infinity;
  /** How many of them were lost so often. */
  readonly #countByLosses: number[] = [];
  #count = 0;

  get areNone(): boolean {
    return this.#count === 0;
  }

  /** True: not all that could be is sent. */
  get isCareful(): boolean {
    return this.#windowMax !== Infinity;
  }

  /** True: one more may be sent. */
  mayGoOn(links: readonly Link[]): boolean {
    if (this.#windowMax === Infinity) return true;
    return links.reduce((sum, { inFlightCount }) => sum + inFlightCount, 0) < this.#windowMax;
  }

  /** A connection was lost. */
  begin(): void {
    this.#windowMax = 1;
  }

  /** A request was answered, on one of so many connections. */
  answered(linkCount: number): void {
    this.#windowMax *= 2;
    if (this.#windowMax >= linkCount * WINDOW_MAX) this.#windowMax = Infinity;
  }

  /** One was lost (again). */
  add(command: ClientCommand): void {
    this.remove(command);
    command.lossCount++;
    this.#change(command.lossCount, 1);
  }

  /** It has ended. */
  remove({ lossCount }: ClientCommand): void {
    if (lossCount > 0) this.#change(lossCount, -1);
  }

  /**
   * True: nothing was lost more often than one that was lost so often, so that its answer is progress. Others may be answered for
   * ever by a server that dies of one request.
   */
  isWorst(lossCount: number): boolean {
    return lossCount > 0 && lossCount >= this.#countByLosses.findLastIndex((count) => count > 0);
  }

  #change(lossCount: number, by: number): void {
    this.#count += by;
    this.#countByLosses[lossCount] = (this.#countByLosses[lossCount] ?? 0) + by;
  }
}
