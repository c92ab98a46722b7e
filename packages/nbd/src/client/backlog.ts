import { Command } from "../protocol/numbers.ts";
import type { ClientCommand } from "./command.ts";
import type { Durability } from "./durability.ts";

/** Commands that are on no connection. */
export class Backlog {
  /** What lost connections have not answered. */
  readonly unanswered: ClientCommand[] = [];
  readonly #durability: Durability;
  /** In the order they go out. */
  #waiting: ClientCommand[] = [];
  /** Those for whose copies there was no room when it was their turn. Only what takes no memory overtakes them. */
  readonly #unroomed: ClientCommand[] = [];

  constructor(durability: Durability) {
    this.#durability = durability;
  }

  /** Somebody waits for memory. */
  get isShortOfRoom(): boolean {
    return this.#unroomed.length > 0;
  }

  push(command: ClientCommand): void {
    command.state = "waiting";
    this.#waiting.push(command);
  }

  /** It goes out before all others. */
  pushFirst(command: ClientCommand): void {
    command.state = "waiting";
    this.#waiting.unshift(command);
  }

  /** Takes out what goes next; null: nothing can. */
  next(): ClientCommand | null {
    const first = this.#unroomed[0];
    if (first !== undefined && this.#durability.hasRoomFor(first)) return this.#unroomed.shift()!;
    for (;;) {
      const command = this.#waiting.shift() ?? null;
      if (command === null || command.cost === 0) return command;
      if (this.#unroomed.length === 0 && this.#durability.hasRoomFor(command)) return command;
      this.#unroomed.push(command);
    }
  }

  /** Takes one out that is not wanted any more. */
  remove(command: ClientCommand): void {
    for (const list of [this.#waiting, this.#unroomed, this.unanswered]) {
      const index = list.indexOf(command);
      if (index >= 0) list.splice(index, 1);
    }
  }

  /** What was under way goes out again before the others, reads last of it. */
  requeue(): void {
    const commands = this.unanswered.splice(0);
    const isRead = (command: ClientCommand): boolean => command.command === Command.read;
    const again = [...commands.filter((one) => !isRead(one)), ...commands.filter((one) => isRead(one))];
    this.#waiting = [...again, ...this.#waiting];
  }

  takeUnroomed(): ClientCommand[] {
    return this.#unroomed.splice(0);
  }

  takeAll(): ClientCommand[] {
    return [...this.unanswered.splice(0), ...this.#waiting.splice(0), ...this.#unroomed.splice(0)];
  }
}
