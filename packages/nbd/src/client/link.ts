import { CevError } from "@cev/core";
import type { Environment } from "@cev/core";
import { Command } from "../protocol/numbers.ts";
import type { BusyPoll } from "../transport/busy-poll.ts";
import type { Channel, ChannelUser } from "./channel.ts";
import { ClientCommand } from "./command.ts";
import type { CommandOwner } from "./command.ts";
import type { Negotiated } from "./negotiated.ts";
import { ReplyReader } from "./reply-reader.ts";
import { SendQueue } from "./send-queue.ts";

/** Who uses a connection. */
export interface LinkUser {
  /** The connection is through with a command: its answer stands in it. */
  answered(link: Link, command: ClientCommand): void;
  /** There is room for one more: the rest of an answer that nobody wanted has come. */
  freed(link: Link): void;
  /** Bytes have come. */
  heard(link: Link): void;
  /** The memory of a read that could not be forgotten at once is free now: it is forgotten. */
  abandoned(command: ClientCommand): void;
  /** The connection is over, and touches no memory any more. Once. */
  lost(link: Link, error: CevError): void;
}

const NOBODY: CommandOwner = { cancelled: () => undefined, granted: () => undefined };

/** One connection in transmission: requests go out together, answers come in any order. It knows nothing of coming back. */
export class Link implements ChannelUser {
  readonly negotiated: Negotiated;
  readonly #environment: Environment;
  readonly #channel: Channel;
  readonly #user: LinkUser;
  readonly #slots: (ClientCommand | null)[];
  readonly #free: number[];
  readonly #queue: SendQueue;
  readonly #reader: ReplyReader;
  readonly #busyPoll: BusyPoll;
  /** Answered while their memory was still being sent. */
  #early: ClientCommand[] = [];
  /** A read that is not wanted any more, and whose memory is being received into. */
  #unwanted: ClientCommand | null = null;
  #generation = 1;
  #isReceiving = false;
  #isFlushPlanned = false;
  #isOver = false;
  #isLeaving = false;
  readonly #flushLater = (): void => {
    this.#isFlushPlanned = false;
    if (!this.#isOver) this.#queue.flush();
  };

  constructor(
    environment: Environment,
    channel: Channel,
    negotiated: Negotiated,
    options: { readonly user: LinkUser; readonly requestsMax: number; readonly busyPoll: BusyPoll },
  ) {
    this.#environment = environment;
    this.#channel = channel;
    this.negotiated = negotiated;
    this.#user = options.user;
    this.#busyPoll = options.busyPoll;
    this.#slots = Array.from({ length: options.requestsMax }, () => null);
    this.#free = Array.from({ length: options.requestsMax }, (_, index) => options.requestsMax - 1 - index);
    this.#queue = new SendQueue(channel, negotiated.style);
    this.#reader = new ReplyReader(channel, negotiated.style, {
      find: (slot, generation) => this.#find(slot, generation),
      finished: (command) => this.#finished(command),
    });
  }

  /** Commands that are queued or sent. */
  get inFlightCount(): number {
    return this.#slots.length - this.#free.length;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  hasRoom(): boolean {
    return this.#free.length > 0 && !this.#isOver;
  }

  /** True for one that is queued or sent here. */
  holds(command: ClientCommand): boolean {
    return this.#slots[command.slot] === command;
  }

  /** Takes the channel over from the handshake. */
  begin(): void {
    this.#channel.handTo(this);
    // What came behind the handshake, before anything was asked, is no answer; it is looked at all the same.
    if (this.#channel.available > 0) this.arrived();
  }

  /** Precondition: `hasRoom`. The first of an idle connection leaves at once, others with those of the same turn. */
  send(command: ClientCommand): void {
    const wasIdle = this.inFlightCount === 0;
    const slot = this.#free.pop()!;
    this.#generation = (this.#generation + 1) | 0;
    command.restart();
    command.slot = slot;
    command.generation = this.#generation;
    command.state = "queued";
    this.#slots[slot] = command;
    this.#queue.push(command);
    if (this.#isReceiving || this.#isFlushPlanned) return;
    if (wasIdle) {
      this.#queue.flush();
      this.#busyPoll.left();
      return;
    }
    this.#isFlushPlanned = true;
    this.#environment.later(this.#flushLater);
  }

  /**
   * Forgets a command that has not been sent, or a read: what still comes of it is thrown away. False: it is too late, or, for
   * a read whose memory is being received into, too early: `abandoned` tells when more of it has come.
   */
  abandon(command: ClientCommand): boolean {
    if (command.state === "queued") {
      this.#queue.remove(command);
      this.#release(command);
      return true;
    }
    if (command.command !== Command.read) return false;
    if (this.#reader.isFilling(command)) {
      this.#unwanted = command;
      return false;
    }
    // A stand-in takes the rest of the answer.
    const rest = new ClientCommand(NOBODY);
    rest.isForNobody = true;
    rest.command = command.command;
    rest.offset = command.offset;
    rest.length = command.length;
    rest.state = "sent";
    rest.slot = command.slot;
    rest.generation = command.generation;
    rest.errno = command.errno;
    rest.scatter.takeFrom(command.scatter);
    this.#slots[command.slot] = rest;
    this.#reader.replace(command, rest);
    return true;
  }

  /** All that is queued or under way. After the connection is over. */
  takeUnanswered(): ClientCommand[] {
    const commands = this.#slots.filter((each) => each !== null && !each.isForNobody) as ClientCommand[];
    this.#slots.fill(null);
    return commands;
  }

  /** Says good-bye and closes, at the latest after a moment. Precondition: nothing is under way. */
  disconnect(): void {
    if (this.#isOver) return;
    const command = new ClientCommand(NOBODY);
    command.command = Command.disconnect;
    this.#queue.push(command);
    this.#queue.flush();
    this.#isLeaving = true;
    this.#channel.closeSoon();
    if (this.#queue.isEmpty) this.#channel.finish();
  }

  /** Closes at once; `lost` tells when that is done. */
  destroy(error: CevError): void {
    if (!this.#isOver) this.#channel.destroy(error);
  }

  arrived(): void {
    this.#busyPoll.arrived();
    this.#user.heard(this);
    this.#isReceiving = true;
    const problem = this.#reader.read();
    this.#isReceiving = false;
    this.#afterReceiving(problem);
  }

  directRoom(): Uint8Array | null {
    return this.#reader.directRoom();
  }

  arrivedDirectly(length: number): void {
    this.#busyPoll.arrived();
    this.#user.heard(this);
    this.#isReceiving = true;
    const problem = this.#reader.arrivedDirectly(length);
    if (this.#unwanted !== null) this.#forgetUnwanted();
    this.#isReceiving = false;
    this.#afterReceiving(problem);
  }

  drained(): void {
    if (this.#isOver) return;
    const early = this.#early.splice(0);
    this.#queue.drained();
    if (this.#isLeaving && this.#queue.isEmpty) this.#channel.finish();
    for (const command of early) if (!this.#isOver) this.#finished(command);
  }

  closed(error: CevError): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#user.lost(this, error);
  }

  #afterReceiving(problem: string | null): void {
    if (this.#isOver) return;
    if (problem !== null) this.destroy(new CevError("CEV_PROTOCOL", problem));
    else this.#queue.flush();
    if (this.inFlightCount > 0) this.#busyPoll.left();
  }

  #forgetUnwanted(): void {
    const command = this.#unwanted!;
    this.#unwanted = null;
    if (this.holds(command) && this.abandon(command)) this.#user.abandoned(command);
  }

  #find(slot: number, generation: number): ClientCommand | null {
    const command = this.#slots[slot] ?? null;
    return command !== null && command.generation === generation && command.state === "sent" ? command : null;
  }

  #finished(command: ClientCommand): void {
    if (this.#queue.isReading(command)) {
      // Whoever wrote may use the memory as soon as the request has ended.
      command.state = "answered";
      this.#early.push(command);
      return;
    }
    if (command === this.#unwanted) this.#unwanted = null;
    this.#release(command);
    if (command.isForNobody) this.#user.freed(this);
    else this.#user.answered(this, command);
  }

  #release(command: ClientCommand): void {
    this.#slots[command.slot] = null;
    this.#free.push(command.slot);
  }
}

/** Of those with room for one more command the one with the fewest; null: none has any. */
export function freestOf(links: readonly Link[]): Link | null {
  let found: Link | null = null;
  for (const link of links) {
    if (link.hasRoom() && (found === null || link.inFlightCount < found.inFlightCount)) found = link;
  }
  return found;
}
