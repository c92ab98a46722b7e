import { CevError, Op, RangeLock } from "@cev/core";
import type { Environment, Io, RangeLockEntry } from "@cev/core";
import type { StatusExtent } from "../protocol/chunk.ts";
import { Command, NbdErrno, TransmissionFlag } from "../protocol/numbers.ts";
import { AnswerWatch } from "./answer-watch.ts";
import { Comeback } from "./comeback.ts";
import type { ComebackUser } from "./comeback.ts";
import { ClientCommand, lockGranted } from "./command.ts";
import type { CommandOwner } from "./command.ts";
import { Durability } from "./durability.ts";
import type { ServerFailure } from "./durability.ts";
import { askFor, askForFlush, endCancelled, failIo, failLost, lostError, replayError } from "./io-command.ts";
import { freestOf } from "./link.ts";
import type { Link } from "./link.ts";
import { hasFlag } from "./negotiated.ts";
import { Replay } from "./replay.ts";
import type { SessionOptions, SessionState } from "./session-options.ts";

const CLOSE_WAIT_MS = 3000;

/**
 * A device of a server, over however many connections that takes. It lives and dies whole: when one connection breaks, all are
 * given up, because one that seems alive may be a dead server's. Then it comes back, writes again what was answered and not
 * flushed, and after that what was under way.
 */
export class Session implements ComebackUser, CommandOwner {
  readonly #options: SessionOptions;
  readonly #environment: Environment;
  readonly #durability: Durability;
  readonly #comeback: Comeback;
  readonly #watch: AnswerWatch;
  readonly #locks = new RangeLock();
  #state: SessionState = "lost";
  #links: Link[] = [];
  /** In the order they go out. */
  #waiting: ClientCommand[] = [];
  /** Writes that wait until there is room for their copies. */
  readonly #unroomed: ClientCommand[] = [];
  /** What lost connections have not answered. */
  readonly #unanswered: ClientCommand[] = [];
  readonly #free: ClientCommand[] = [];
  #hasOwnFlush = false;
  /** Why the connection was lost, or the session given up. */
  #error: CevError | null = null;
  /** Somebody knows already that the server is gone. */
  #hasToldLoss = false;
  #onClosed: (() => void) | null = null;

  constructor(options: SessionOptions) {
    const { environment, expected, keepsUnflushed, unflushedMax, requestTimeoutMs, source } = options;
    this.#options = options;
    this.#environment = environment;
    const isKept = keepsUnflushed && hasFlag(expected, TransmissionFlag.sendFlush);
    this.#durability = new Durability(isKept, unflushedMax);
    this.#comeback = new Comeback(options, this);
    const silent = (): void =>
      this.#destroyLinks(
        new CevError("CEV_TIMED_OUT", `no answer within ${requestTimeoutMs} ms`, { source }),
      );
    this.#watch = new AnswerWatch(environment, requestTimeoutMs, () => this.#isBusy, silent);
  }

  /** Connects for the first time. */
  async open(): Promise<void> {
    this.#links = await this.#comeback.connectAll();
    this.#state = "live";
  }

  submit(io: Io): void {
    if (this.#state === "dead" || this.#state === "closed") return this.#failLost(io);
    const command = this.#take();
    askFor(command, io);
    if (io.op === Op.read || io.op === Op.flush) return this.#enter(command);
    command.cost = this.#durability.costOf(command);
    command.state = "locking";
    // What is answered later lies on the disk later: only then can it be written again in the order of answers.
    this.#locks.acquire(io.offset, io.length, true, lockGranted, command);
  }

  /** What the server knows of a range; null: nothing. */
  status(offset: number, length: number): Promise<readonly StatusExtent[] | null> {
    const isKnown = this.#options.expected.allocationId !== null;
    if (this.#state === "dead" || this.#state === "closed" || !isKnown) return Promise.resolve(null);
    return new Promise((resolve) => {
      const command = this.#take();
      command.command = Command.blockStatus;
      command.offset = offset;
      command.length = length;
      command.ended = (_command, error) => {
        const { extents, errno } = command;
        this.#giveBack(command);
        resolve(error === null && errno === 0 ? extents : null);
      };
      this.#enter(command);
    });
  }

  /** Ends. Fails when something that was answered may be lost with the server, and nobody was told that it is. */
  async close(): Promise<void> {
    const wasLive = this.#state === "live";
    const isWhole = wasLive || this.#durability.log.isEmpty || this.#hasToldLoss;
    const error = lostError(this.#error, this.#options.source);
    this.#state = "closed";
    this.#comeback.stop();
    this.#watch.stop();
    if (this.#links.length > 0) {
      const closed = new Promise<void>((resolve) => (this.#onClosed = resolve));
      if (wasLive) for (const link of [...this.#links]) link.disconnect();
      else this.#destroyLinks(error);
      const timer = this.#environment.clock.after(CLOSE_WAIT_MS, () => this.#onClosed?.());
      await closed;
      timer.cancel();
    }
    this.#failAll(error);
    if (!isWhole) throw error;
  }

  granted(command: ClientCommand, lock: RangeLockEntry): void {
    if (command.io === null) {
      // It was cancelled meanwhile.
      this.#giveBack(command);
      this.#locks.release(lock);
      return;
    }
    command.lock = lock;
    this.#enter(command);
  }

  cancelled(command: ClientCommand): void {
    switch (command.state) {
      case "locking":
        return endCancelled(command.takeIo()!);
      case "waiting":
        remove(this.#waiting, command);
        remove(this.#unroomed, command);
        remove(this.#unanswered, command);
        return this.#endEarly(command);
      default:
        this.#abandon(command);
    }
  }

  answered(link: Link, command: ClientCommand): void {
    if (command.errno === NbdErrno.ESHUTDOWN) return this.#turnedAway(link, command);
    this.#watch.answered();
    if (command.ended !== null) command.ended(command, null);
    else this.#settle(command);
    if (this.#state === "live") this.#isWell();
    this.freed();
  }

  freed(): void {
    if (this.#state === "pausing") this.#replayWhenIdle();
    else this.#pump();
  }

  lost(link: Link, error: CevError): void {
    remove(this.#links, link);
    this.#unanswered.push(...link.takeUnanswered());
    if (this.#state === "closed") {
      if (this.#links.length === 0) this.#onClosed?.();
      return;
    }
    if (this.#state === "dead") return this.#failAll(this.#error!);
    this.#error ??= error;
    this.#state = "lost";
    // What breaks the protocol would break it again.
    if (error.code === "CEV_PROTOCOL") return this.gaveUp(error);
    this.#destroyLinks(error);
    if (this.#links.length === 0) this.#allLost();
  }

  cameBack(links: Link[]): void {
    this.#links = links;
    this.#state = "resuming";
    this.#replay();
  }

  gaveUp(cause: CevError): void {
    if (this.#state === "dead" || this.#state === "closed") return;
    const error = lostError(cause, this.#options.source);
    this.#error = error;
    this.#state = "dead";
    this.#comeback.stop();
    this.#watch.stop();
    this.#destroyLinks(error);
    this.#failAll(error);
  }

  get #isBusy(): boolean {
    return this.#links.some((link) => link.inFlightCount > 0);
  }

  #enter(command: ClientCommand): void {
    command.state = "waiting";
    this.#waiting.push(command);
    this.#pump();
  }

  /** Sends what can be sent. */
  #pump(): void {
    while (this.#state === "live" && this.#waiting.length > 0) {
      const command = this.#waiting[0]!;
      // The server has said that it could not keep what it had: it gets all of it again before it is believed.
      if (command.command === Command.flush && this.#durability.isDoubtful) {
        this.#state = "pausing";
        return this.#replayWhenIdle();
      }
      if (!this.#durability.hasRoomFor(command)) {
        this.#unroomed.push(this.#waiting.shift()!);
        this.#flushForRoom();
        continue;
      }
      const link = freestOf(this.#links);
      if (link === null) return;
      this.#waiting.shift();
      this.#send(link, command);
    }
  }

  #send(link: Link, command: ClientCommand): void {
    this.#durability.reserve(command);
    if (command.command === Command.blockStatus) command.mark = link.negotiated.allocationId ?? -1;
    link.send(command);
    this.#watch.start();
    if (command.cost > 0 && this.#durability.isHalfFull) this.#flushForRoom();
  }

  /** A flush of the session's own, so that copies can be let go. */
  #flushForRoom(): void {
    if (this.#hasOwnFlush || this.#durability.log.isEmpty || this.#state !== "live") return;
    this.#hasOwnFlush = true;
    const command = this.#take();
    askForFlush(command);
    command.ended = (_command, error) => {
      this.#hasOwnFlush = false;
      const failure = error === null ? this.#flushed(command) : null;
      this.#giveBack(command);
      if (failure !== null) this.#failUnroomed(failure);
    };
    command.state = "waiting";
    this.#waiting.unshift(command);
    this.#pump();
  }

  /** The server does not flush: writes that wait for room would wait for ever. */
  #failUnroomed({ errno, text }: ServerFailure): void {
    for (const command of this.#unroomed.splice(0)) {
      command.errno = errno;
      command.text = text;
      this.#end(command);
    }
  }

  #flushed(command: ClientCommand): ServerFailure | null {
    const failure = this.#durability.flushed(command);
    if (failure === null) this.#waiting.unshift(...this.#unroomed.splice(0));
    return failure;
  }

  /** The answer to a request has come. */
  #settle(command: ClientCommand): void {
    this.#durability.giveBack(command);
    if (command.command === Command.flush) this.#flushed(command);
    else if (command.errno === 0 && command.command !== Command.read) this.#durability.done(command);
    this.#end(command);
    if (this.#unroomed.length === 0) return;
    if (this.#durability.hasRoomFor(this.#unroomed[0]!)) this.#waiting.unshift(this.#unroomed.shift()!);
    else this.#flushForRoom();
  }

  /** Ends the request with the answer that stands in its command, and frees the command. */
  #end(command: ClientCommand): void {
    const { io, errno, text, transferred } = command;
    this.#giveBack(command);
    if (io === null) return;
    if (errno === 0) return io.complete();
    failIo(io, { errno, text }, transferred);
  }

  #endEarly(command: ClientCommand): void {
    const io = command.takeIo();
    this.#giveBack(command);
    if (io !== null) endCancelled(io);
  }

  #abandon(command: ClientCommand): void {
    const link = this.#links.find((one) => one.holds(command));
    if (!link?.abandon(command)) return;
    this.#durability.giveBack(command);
    this.#endEarly(command);
    this.freed();
  }

  /** The server is about to leave: this request is for whoever comes after it. */
  #turnedAway(link: Link, command: ClientCommand): void {
    this.#unanswered.push(command);
    link.destroy(new CevError("CEV_DEVICE_LOST", "the server is shutting down"));
  }

  #replayWhenIdle(): void {
    if (this.#state !== "pausing" || this.#isBusy) return;
    this.#state = "resuming";
    this.#replay();
  }

  #replay(): void {
    new Replay({
      log: this.#durability.log,
      links: this.#links,
      take: () => this.#take(),
      giveBack: (command) => this.#giveBack(command),
      ended: (failure) => this.#replayed(failure),
    }).start();
  }

  #replayed(failure: ServerFailure | null): void {
    if (this.#state !== "resuming") return;
    if (failure !== null) return this.gaveUp(replayError(failure));
    this.#durability.isDoubtful = false;
    this.#state = "live";
    this.#requeue();
    if (this.#waiting.length === 0) this.#isWell();
    this.#pump();
  }

  /** What was under way goes first, reads last of it. */
  #requeue(): void {
    const commands = this.#unanswered.splice(0);
    const again = commands.filter((command) => command.command !== Command.read);
    again.push(...commands.filter((command) => command.command === Command.read));
    this.#waiting = [...again, ...this.#unroomed.splice(0), ...this.#waiting];
  }

  /** Something was answered, or nothing is left to be asked. */
  #isWell(): void {
    this.#error = null;
    this.#comeback.answered();
  }

  /** No connection is left, and the memory of all requests is free. */
  #allLost(): void {
    this.#watch.stop();
    for (const command of [...this.#unanswered]) {
      if (command.state !== "waiting") this.#durability.giveBack(command);
      command.state = "waiting";
      const isOwn = command.ended !== null && command.command !== Command.blockStatus;
      if (isOwn) {
        // Copies that were being written again are still kept; a flush for room is sent again when it is needed.
        remove(this.#unanswered, command);
        command.ended!(command, lostError(this.#error, this.#options.source));
      } else if (command.io?.isCancelRequested === true) {
        remove(this.#unanswered, command);
        this.#endEarly(command);
      }
    }
    this.#comeback.begin(this.#error!);
  }

  /** Fails all but what connections still hold: their memory may be in use. */
  #failAll(error: CevError): void {
    do {
      const lists = [this.#unanswered, this.#waiting, this.#unroomed];
      for (const command of lists.flatMap((list) => list.splice(0))) {
        const { io } = command;
        if (command.ended === null) this.#giveBack(command);
        else command.ended(command, error);
        if (io !== null) this.#failLost(io);
      }
      // A lock that was given back has let in who waited for it.
    } while (this.#waiting.length > 0);
  }

  #failLost(io: Io): void {
    this.#hasToldLoss = true;
    failLost(io, this.#state === "closed" ? null : this.#error);
  }

  #destroyLinks(error: CevError): void {
    for (const link of [...this.#links]) link.destroy(error);
  }

  #take(): ClientCommand {
    return this.#free.pop() ?? new ClientCommand(this);
  }

  #giveBack(command: ClientCommand): void {
    const { lock } = command;
    command.clear();
    this.#free.push(command);
    if (lock !== null) this.#locks.release(lock);
  }
}

function remove<T>(list: T[], item: T): void {
  const index = list.indexOf(item);
  if (index >= 0) list.splice(index, 1);
}
