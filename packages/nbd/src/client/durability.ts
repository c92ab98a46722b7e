import { Command, CommandFlag, NbdErrno } from "../protocol/numbers.ts";
import type { ClientCommand } from "./command.ts";
import { WriteLog, costOf } from "./write-log.ts";

/** How the server failed: an error number, and what it says. */
export interface ServerFailure {
  readonly errno: number;
  readonly text: string | null;
}

/** What a session knows of what the server may still lose: copies of what was answered and not flushed, bounded in memory. */
export class Durability {
  readonly log: WriteLog = new WriteLog();
  /** True after a flush that failed: before the next one all has to be written again. */
  isDoubtful = false;
  readonly #isKept: boolean;
  readonly #bytesMax: number;
  /** Bytes of copies that writes under way will need. */
  #reserved = 0;
  /** How many flushes have failed: what was sent before the last of them proves nothing. */
  #doubt = 0;

  /** `isKept`: false keeps nothing, and promises nothing. */
  constructor(isKept: boolean, bytesMax: number) {
    this.#isKept = isKept;
    this.#bytesMax = bytesMax;
  }

  /** Bytes of memory that a command takes when it is answered. */
  costOf({ command, length, flags }: ClientCommand): number {
    if (!this.#isKept || command === Command.trim || (flags & CommandFlag.fua) !== 0) return 0;
    return costOf(command === Command.write ? length : 0);
  }

  hasRoomFor({ cost }: ClientCommand): boolean {
    if (cost === 0) return true;
    const taken = this.log.bytes + this.#reserved;
    // One is always let in: nothing it could wait for is there.
    return taken === 0 || taken + cost <= this.#bytesMax;
  }

  /** True when it is time to flush. */
  get isHalfFull(): boolean {
    return this.log.bytes + this.#reserved > this.#bytesMax / 2;
  }

  /** A command is about to be sent. */
  reserve(command: ClientCommand): void {
    command.reserved = command.cost;
    this.#reserved += command.reserved;
    if (command.command !== Command.flush) return;
    // It covers what was answered before it was sent, and nothing else.
    command.mark = this.log.sequence;
    command.doubt = this.#doubt;
  }

  /** It was answered, or is not under way any more; or never was. */
  giveBack(command: ClientCommand): void {
    this.#reserved -= command.reserved;
    command.reserved = 0;
  }

  /** The server has done what a command asked for. Its data is still the command's. */
  done({ command, flags, offset, length, data, dataOffset }: ClientCommand): void {
    if (!this.#isKept) return;
    if (command === Command.trim || (flags & CommandFlag.fua) !== 0) {
      // Durable by itself, or of no more interest; and what was there before is so no more.
      this.log.cut(offset, length);
    } else if (command === Command.write) {
      // Of a Buffer, `slice` would be no copy.
      this.log.add(offset, length, new Uint8Array(data!.subarray(dataOffset, dataOffset + length)));
    } else {
      // Written again, zeroes may take their time.
      this.log.add(offset, length, null, flags & CommandFlag.noHole);
    }
  }

  /** A flush was answered. Returns how it failed, for whatever reason; null: what it covers is durable. */
  flushed(command: ClientCommand): ServerFailure | null {
    const isNewest = command.doubt === this.#doubt;
    if (command.errno === 0 && isNewest) {
      this.log.dropUpTo(command.mark);
      return null;
    }
    if (command.errno === 0) {
      command.errno = NbdErrno.EIO;
      command.text = "a flush beside this one failed";
    } else if (isNewest) {
      this.#doubt++;
      // Whoever keeps nothing has nothing to write again.
      this.isDoubtful = this.#isKept;
    }
    return { errno: command.errno, text: command.text };
  }
}
