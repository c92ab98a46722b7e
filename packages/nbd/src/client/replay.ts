import type { CevError } from "@cev/core";
import { Command } from "../protocol/numbers.ts";
import type { ClientCommand } from "./command.ts";
import { askForFlush } from "./io-command.ts";
import type { Link } from "./link.ts";
import type { LoggedWrite, WriteLog } from "./write-log.ts";

// So many of them are under way at once.
const UNDER_WAY_MAX = 16;
// Writes, and bytes, after which it is made sure of what is written; each time more, because the line seems to hold.
const STEP_COUNT_FIRST = 1;
const STEP_LENGTH_FIRST = 262_144;
const STEP_GROWTH = 4;

/** What a replay needs. */
export interface ReplayParts {
  readonly log: WriteLog;
  readonly links: readonly Link[];
  readonly take: () => ClientCommand;
  /** True: a flush now and then lets go of what is written, so that a line that breaks again and again gets through in the end. */
  readonly isStepwise: boolean;
  /** One of them was sent. */
  readonly sent: () => void;
  /** A part of it is durable, and need not be written again. */
  readonly advanced: () => void;
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
  #isStepwise: boolean;
  /** Where the step begins, how many bytes of it are sent, and how many it may be. */
  #stepStart = 0;
  #stepLength = 0;
  #stepCountMax = STEP_COUNT_FIRST;
  #stepLengthMax = STEP_LENGTH_FIRST;
  readonly #written = (command: ClientCommand, error: CevError | null): void => {
    this.#underWay--;
    if (this.#isOver) return;
    if (error !== null) {
      this.#isOver = true;
    } else if (command.errno !== 0) {
      this.#isOver = true;
      this.#parts.ended({ errno: command.errno, text: command.text });
    } else {
      this.#sendMore();
    }
  };
  readonly #flushed = (command: ClientCommand, error: CevError | null): void => {
    this.#underWay--;
    if (this.#isOver) return;
    if (error !== null) {
      this.#isOver = true;
      return;
    }
    if (command.errno === 0) this.#endStep();
    else this.#goBack();
    this.#sendMore();
  };

  constructor(parts: ReplayParts) {
    this.#parts = parts;
    this.#isStepwise = parts.isStepwise;
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
    const { links } = this.#parts;
    while (this.#underWay < UNDER_WAY_MAX && this.#next < this.#entries.length && !this.#isStepFull) {
      const link = links[this.#next % links.length]!;
      if (!link.hasRoom()) break;
      const entry = this.#entries[this.#next++]!;
      this.#stepLength += entry.length;
      this.#send(link, entry);
    }
    if (this.#underWay > 0 || this.#isOver) return;
    if (this.#next < this.#entries.length) return this.#sendFlush();
    this.#isOver = true;
    this.#parts.ended(null);
  }

  get #isStepFull(): boolean {
    if (!this.#isStepwise) return false;
    return this.#next - this.#stepStart >= this.#stepCountMax || this.#stepLength >= this.#stepLengthMax;
  }

  #send(link: Link, { data, flags, offset, length }: LoggedWrite): void {
    const command = this.#parts.take();
    command.command = data === null ? Command.writeZeroes : Command.write;
    command.flags = flags;
    command.offset = offset;
    command.length = length;
    command.data = data;
    command.ended = this.#written;
    this.#underWay++;
    link.send(command);
    this.#parts.sent();
  }

  /** The step is written. */
  #sendFlush(): void {
    const [link] = this.#parts.links;
    if (!this.#isStepFull || link?.hasRoom() !== true) return;
    const command = this.#parts.take();
    askForFlush(command);
    command.ended = this.#flushed;
    this.#underWay++;
    link.send(command);
    this.#parts.sent();
  }

  /** The step is durable. */
  #endStep(): void {
    this.#parts.log.remove(new Set(this.#entries.slice(this.#stepStart, this.#next)));
    this.#stepStart = this.#next;
    this.#stepLength = 0;
    this.#stepCountMax *= STEP_GROWTH;
    this.#stepLengthMax *= STEP_GROWTH;
    this.#parts.advanced();
  }

  /** The flush failed: what it should have made durable may be lost. All that is left is written again, and whoever flushes next is told. */
  #goBack(): void {
    this.#isStepwise = false;
    this.#next = this.#stepStart;
  }
}
