import { CevError, Op, RangeLock } from "@cev/core";
import type { Environment, Io, RangeLockEntry } from "@cev/core";
import type { StatusExtent } from "../protocol/chunk.ts";
import { Command, NbdErrno, TransmissionFlag } from "../protocol/numbers.ts";
import { AnswerWatch } from "./answer-watch.ts";
import { Backlog } from "./backlog.ts";
import { Comeback } from "./comeback.ts";
import type { ComebackUser } from "./comeback.ts";
import { ClientCommand, lockGranted } from "./command.ts";
import type { CommandOwner } from "./command.ts";
import { Durability } from "./durability.ts";
import type { ServerFailure } from "./durability.ts";
import { askFor, askForFlush, endCancelled, failIo, failLost, lostError, replayError } from "./io-command.ts";
import { Losses } from "./losses.ts";
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
  readonly #backlog: Backlog;
  readonly #free: ClientCommand[] = [];
  #hasOwnFlush = false;
  readonly #losses = new Losses();
  #replay: Replay | null = null;
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
    this.#backlog = new Backlog(this.#durability);
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
        resolve(error === null && command.errno === 0 ? command.extents : null);
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
    command.lock = lock;
    // It may have been cancelled meanwhile.
    if (command.io === null) this.#retire(command);
    else this.#enter(command);
  }

  cancelled(command: ClientCommand): void {
    switch (command.state) {
      case "locking":
        return endCancelled(command.takeIo()!);
      case "waiting":
        this.#backlog.remove(command);
        return this.#endEarly(command);
      default:
        if (this.#links.find((one) => one.holds(command))?.abandon(command) === true) this.abandoned(command);
    }
  }

  abandoned(command: ClientCommand): void {
    this.#endEarly(command);
    this.freed();
  }

  answered(_link: Link, command: ClientCommand): void {
    if (command.errno === NbdErrno.ESHUTDOWN) return this.#turnedAway(command);
    if (this.#losses.isWorst(command.lossCount)) this.#comeback.isWell();
    if (this.#losses.isCareful && this.#state === "live") this.#losses.answered(this.#links.length);
    this.#through(command, null);
    this.freed();
  }

  heard(): void {
    this.#watch.heard();
  }

  freed(): void {
    if (this.#state === "pausing") this.#replayWhenIdle();
    else if (this.#state === "leaving") this.#leaveWhenIdle();
    else this.#pump();
  }

  lost(link: Link, error: CevError): void {
    remove(this.#links, link);
    this.#backlog.unanswered.push(...link.takeUnanswered());
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
    this.#resume(true);
  }

  gaveUp(cause: CevError): void {
    if (this.#state === "dead" || this.#state === "closed") return;
    const error = lostError(cause, this.#options.source);
    this.#error = error;
    this.#state = "dead";
    this.#comeback.stop();
    this.#comeback.tellLost(cause.message);
    this.#watch.stop();
    this.#destroyLinks(error);
    this.#failAll(error);
  }

  get #isBusy(): boolean {
    return this.#links.some((link) => link.inFlightCount > 0);
  }

  #enter(command: ClientCommand): void {
    this.#backlog.push(command);
    this.#pump();
  }

  /** Sends what can be sent. */
  #pump(): void {
    while (this.#state === "live" && this.#losses.mayGoOn(this.#links)) {
      const link = freestOf(this.#links);
      if (link === null) return;
      const command = this.#backlog.next();
      if (command === null) break;
      // The server has said that it could not keep what it had: it gets all of it again before it is believed.
      if (command.command === Command.flush && this.#durability.isDoubtful) {
        this.#backlog.pushFirst(command);
        this.#state = "pausing";
        return this.#replayWhenIdle();
      }
      this.#send(link, command);
    }
    if (this.#backlog.isShortOfRoom) this.#flushForRoom();
  }

  #send(link: Link, command: ClientCommand): void {
    if (command.command === Command.blockStatus) {
      const { allocationId } = link.negotiated;
      // What came back may tell less than before: then nothing is known.
      if (allocationId === null) {
        command.restart();
        return this.#through(command, null);
      }
      command.mark = allocationId;
    }
    this.#durability.reserve(command);
    link.send(command);
    this.#watch.start();
  }

  /** A flush of the session's own, so that copies can be let go. */
  #flushForRoom(): void {
    if (this.#hasOwnFlush || this.#durability.log.isEmpty || this.#state !== "live") return;
    this.#hasOwnFlush = true;
    const command = this.#take();
    askForFlush(command);
    command.ended = (_command, error) => {
      this.#hasOwnFlush = false;
      const failure = error === null ? this.#durability.flushed(command) : null;
      if (failure !== null) this.#failUnroomed(failure);
    };
    this.#backlog.pushFirst(command);
    this.#pump();
  }

  /** The server does not flush: writes that wait for room would wait for ever. */
  #failUnroomed({ errno, text }: ServerFailure): void {
    for (const command of this.#backlog.takeUnroomed()) {
      command.errno = errno;
      command.text = text;
      this.#end(command);
    }
  }

  /** A command of the session's own, or a request, is answered (`error` null) or lost for good. */
  #through(command: ClientCommand, error: CevError | null): void {
    const { ended, io } = command;
    if (ended !== null) {
      ended(command, error);
      this.#retire(command);
    } else if (error === null) {
      this.#settle(command);
    } else {
      this.#retire(command);
      if (io !== null) this.#failLost(io);
    }
  }

  /** The answer to a request has come. */
  #settle(command: ClientCommand): void {
    this.#durability.giveBack(command);
    if (command.command === Command.flush) this.#durability.flushed(command);
    else if (command.errno === 0 && command.command !== Command.read) {
      this.#durability.done(command);
      // What costs nothing itself may cut what is kept into more pieces.
      if (this.#durability.isHalfFull) this.#flushForRoom();
    }
    this.#end(command);
  }

  /** Ends the request with the answer that stands in its command. */
  #end(command: ClientCommand): void {
    const { errno, text, transferred } = command;
    const io = this.#retire(command);
    if (io === null) return;
    if (errno === 0) return io.complete();
    failIo(io, { errno, text }, transferred);
  }

  #endEarly(command: ClientCommand): void {
    const io = this.#retire(command);
    if (io !== null) endCancelled(io);
  }

  /** The server is about to leave: this request is for whoever comes after it. What it still does is waited for. */
  #turnedAway(command: ClientCommand): void {
    this.#backlog.unanswered.push(command);
    if (this.#state === "dead" || this.#state === "closed" || this.#state === "lost") return;
    this.#error = new CevError("CEV_DEVICE_LOST", "the server is shutting down");
    this.#replay?.stop();
    this.#state = "leaving";
    this.#leaveWhenIdle();
  }

  #leaveWhenIdle(): void {
    if (this.#state !== "leaving" || this.#isBusy) return;
    for (const link of [...this.#links]) link.disconnect();
  }

  #replayWhenIdle(): void {
    if (this.#state === "pausing" && !this.#isBusy) this.#resume(false);
  }

  /** `isStepwise`: what has been written again is made durable on the way. */
  #resume(isStepwise: boolean): void {
    this.#state = "resuming";
    this.#replay = new Replay({
      log: this.#durability.log,
      links: this.#links,
      take: () => this.#take(),
      isStepwise,
      advanced: () => this.#comeback.isWell(),
      sent: () => this.#watch.start(),
      ended: (failure) => this.#replayed(failure),
    });
    this.#replay.start();
  }

  #replayed(failure: ServerFailure | null): void {
    if (this.#state !== "resuming") return;
    if (failure !== null) return this.gaveUp(replayError(failure));
    this.#durability.isDoubtful = false;
    this.#state = "live";
    this.#error = null;
    this.#comeback.isUp();
    this.#backlog.requeue();
    this.#pump();
  }

  /** No connection is left, and the memory of all requests is free. */
  #allLost(): void {
    this.#watch.stop();
    const wasWell = this.#losses.areNone;
    this.#losses.begin();
    for (const command of [...this.#backlog.unanswered]) {
      this.#durability.giveBack(command);
      command.state = "waiting";
      const isOwn = command.ended !== null && command.command !== Command.blockStatus;
      if (isOwn || command.io?.isCancelRequested === true) this.#backlog.remove(command);
      // Copies that were being written again are still kept; a flush for room is sent again when it is needed.
      if (isOwn) this.#through(command, this.#error);
      else if (command.io?.isCancelRequested === true) this.#endEarly(command);
      else this.#losses.add(command);
    }
    this.#comeback.begin(this.#error!, wasWell);
  }

  /** Fails all but what connections still hold: their memory may be in use. */
  #failAll(error: CevError): void {
    // A lock that is given back lets in who waited for it.
    for (;;) {
      const commands = this.#backlog.takeAll();
      if (commands.length === 0) return;
      for (const command of commands) this.#through(command, error);
    }
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

  /** The one way out for every command: all it holds is free again. Returns its request, which the caller ends. */
  #retire(command: ClientCommand): Io | null {
    const { io, lock } = command;
    this.#durability.giveBack(command);
    this.#losses.remove(command);
    command.clear();
    this.#free.push(command);
    if (lock !== null) this.#locks.release(lock);
    return io;
  }
}

function remove<T>(list: T[], item: T): void {
  const index = list.indexOf(item);
  if (index >= 0) list.splice(index, 1);
}
