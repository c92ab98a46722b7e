import type { CevError } from "@cev/core";
import { Command } from "../protocol/numbers.ts";
import type { ClientCommand } from "./command.ts";
import type { Link } from "./link.ts";
import type { LoggedWrite, WriteLog } from "./write-log.ts";

// So many of them are under way at once.
const UNDER_WAY_MAX = 16;

/** What a replay needs. */
export interface ReplayParts {
  readonly log: WriteLog;
  readonly links: readonly Link[];
  readonly take: () => ClientCommand;
  /** One of them was sent. */
  readonly sent: () => void;
  /** All is written again; or the server refused: that error number, and what it says. */
  readonly ended: (failure: { readonly errno: number; readonly text: string | null } | null) => void;
}

/**
 * Writes all again that was answered and may be lost. Nothing else is sent meanwhile. If the connection is lost, its
 * commands come back unanswered, and the replay is over without `ended`: the entries stay where they are.
 */
export class Replay {
  readonly #parts: ReplayParts;
  readonly #entries: readonly LoggedWrite[];
  #next = 0;
  #underWay = 0;
  #isOver = false;
  readonly #ended = (command: ClientCommand, error: CevError | null): void => {
    this.#underWay--;
    const { errno, text } = command;
    if (this.#isOver) return;
    if (error !== null) {
      this.#isOver = true;
      return;
    }
    if (errno !== 0) {
      this.#isOver = true;
      this.#parts.ended({ errno, text });
      return;
    }
    this.#sendMore();
  };

  constructor(parts: ReplayParts) {
    this.#parts = parts;
    this.#entries = parts.log.entries.slice();
  }

  start(): void {
    this.#sendMore();
  }

  /** Sends no more. `ended` is not called. */
  stop(): void {
    this.#isOver = true;
  }

  #sendMore(): void {
    const { links, take, sent, ended } = this.#parts;
    while (this.#underWay < UNDER_WAY_MAX && this.#next < this.#entries.length) {
      const link = links[this.#next % links.length]!;
      if (!link.hasRoom()) break;
      const entry = this.#entries[this.#next++]!;
      const command = take();
      command.command = entry.data === null ? Command.writeZeroes : Command.write;
      command.flags = entry.flags;
      command.offset = entry.offset;
      command.length = entry.length;
      command.data = entry.data;
      command.ended = this.#ended;
      this.#underWay++;
      link.send(command);
      sent();
    }
    if (this.#underWay > 0 || this.#next < this.#entries.length || this.#isOver) return;
    this.#isOver = true;
    ended(null);
  }
}
