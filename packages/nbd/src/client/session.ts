import { CevError, IoFlag, Op, RangeLock, ioError, opName } from "@cev/core";
import type { Environment, Io, Limits, RangeLockEntry, Timer } from "@cev/core";
import type { StatusExtent } from "../protocol/chunk.ts";
import { errorOfNbd } from "../protocol/errno.ts";
import { Command, CommandFlag, NbdErrno, TransmissionFlag } from "../protocol/numbers.ts";
import { backoffMs } from "./backoff.ts";
import { ClientCommand, endCancelled, lockGranted } from "./command.ts";
import type { CommandOwner } from "./command.ts";
import type { Link, LinkUser } from "./link.ts";
import { differenceOf, hasFlag } from "./negotiated.ts";
import type { Negotiated } from "./negotiated.ts";
import { Replay } from "./replay.ts";
import { WriteLog, costOf } from "./write-log.ts";

/** What a session is told. */
export interface SessionOptions {
  readonly environment: Environment;
  /** Makes one connection, up to the transmission. */
  readonly connect: (user: LinkUser) => Promise<Link>;
  readonly connections: number;
  /** Of the device over it; what comes back has to fit. */
  readonly limits: Limits;
  /** What the device was made from; a connection that differs is another export. */
  readonly expected: Negotiated;
  /** Whether what was answered and not flushed is kept, to be written again. */
  readonly keepsUnflushed: boolean;
  readonly unflushedMax: number;
  readonly reconnectTimeoutMs: number;
  /** How long an answer may take before the connection counts as lost; 0: for ever. */
  readonly requestTimeoutMs: number;
  /** For errors. */
  readonly source: string;
}

/**
 * `live`: requests are sent. `pausing`: none is, and those under way are waited for, because all has to be written again.
 * `lost`: there is no connection, and one is sought. `resuming`: what may be lost is written again. `dead`: given up.
 */
type SessionState = "live" | "pausing" | "lost" | "resuming" | "dead" | "closed";

const LAYER = "nbd";
const CLOSE_WAIT_MS = 3000;

/**
 * A device of a server, over however many connections that takes. It lives and dies whole: when one connection breaks, all are
 * given up, because one that seems alive may be a dead server's. Then it comes back, writes again what was answered and not
 * flushed, and after that what was under way.
 */
export class Session implements LinkUser, CommandOwner {
  readonly #options: SessionOptions;
  readonly #environment: Environment;
  readonly #log = new WriteLog();
  readonly #locks = new RangeLock();
  readonly #keepsLog: boolean;
  #state: SessionState = "lost";
  #links: Link[] = [];
  /** In the order they go out. */
  #waiting: ClientCommand[] = [];
  /** Writes that wait until there is room for their copies. */
  #unroomed: ClientCommand[] = [];
  #unanswered: ClientCommand[] = [];
  readonly #free: ClientCommand[] = [];
  /** Bytes of copies that writes under way will need. */
  #reserved = 0;
  #hasOwnFlush = false;
  /** How many flushes have failed: what was sent before the last of them proves nothing. */
  #doubt = 0;
  #isDoubtful = false;
  #deadline: Timer | null = null;
  #retry: Timer | null = null;
  #watch: Timer | null = null;
  #answerCount = 0;
  #attemptIndex = 0;
  /** Without a connection, since something was answered last. */
  #awayMs = 0;
  #awaySince = 0;
  #error: CevError | null = null;
  #onClosed: (() => void) | null = null;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#environment = options.environment;
    this.#keepsLog = options.keepsUnflushed && hasFlag(options.expected, TransmissionFlag.sendFlush);
  }

  /** Connects for the first time. */
  async open(): Promise<void> {
    const links = await this.#connectAll();
    this.#links = links;
    this.#state = "live";
  }

  submit(io: Io): void {
    if (this.#state === "dead" || this.#state === "closed") return this.#failLost(io);
    const command = this.#take();
    command.io = io;
    command.offset = io.offset;
    command.length = io.length;
    io.pushAction(ioEnded, command);
    switch (io.op) {
      case Op.read:
        command.command = Command.read;
        command.data = io.data;
        command.dataOffset = io.dataOffset;
        return this.#enter(command);
      case Op.flush:
        command.command = Command.flush;
        command.offset = 0;
        command.length = 0;
        return this.#enter(command);
      case Op.write:
        command.command = Command.write;
        command.data = io.data;
        command.dataOffset = io.dataOffset;
        break;
      case Op.discard:
        command.command = Command.trim;
        break;
      default:
        command.command = Command.writeZeroes;
        command.flags = zeroesFlags(io.flags);
    }
    if ((io.flags & IoFlag.fua) !== 0) command.flags |= CommandFlag.fua;
    command.cost = this.#costOf(command);
    command.state = "locking";
    this.#locks.acquire(io.offset, io.length, true, lockGranted, command);
  }

  /** What the server knows of a range; null: nothing. */
  status(offset: number, length: number): Promise<readonly StatusExtent[] | null> {
    const { expected } = this.#options;
    if (this.#state === "dead" || this.#state === "closed" || expected.allocationId === null)
      return Promise.resolve(null);
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

  /** Ends. Fails when something that was answered may be lost, because the server was away. */
  async close(): Promise<void> {
    const isWhole = this.#state === "live" || this.#log.isEmpty;
    const wasLive = this.#state === "live";
    const error = this.#error;
    this.#state = "closed";
    this.#stopTimers();
    const links = this.#links;
    if (links.length > 0) {
      const closed = new Promise<void>((resolve) => (this.#onClosed = resolve));
      for (const link of links) {
        if (wasLive) link.disconnect();
        else link.destroy(this.#lostError(null));
      }
      const timer = this.#environment.clock.after(CLOSE_WAIT_MS, () => this.#onClosed?.());
      await closed;
      timer.cancel();
    }
    this.#failAll(this.#lostError(error));
    if (!isWhole) throw this.#lostError(error);
  }

  granted(command: ClientCommand, lock: RangeLockEntry): void {
    if (command.io === null) {
      this.#locks.release(lock);
      this.#giveBack(command);
      return;
    }
    command.lock = lock;
    this.#enter(command);
  }

  cancelled(command: ClientCommand): void {
    switch (command.state) {
      case "locking":
        return endCancelled(command.takeIo()!, LAYER);
      case "waiting":
        remove(this.#waiting, command);
        remove(this.#unroomed, command);
        remove(this.#unanswered, command);
        return this.#endEarly(command);
      case "queued":
      case "sent":
        this.#abandon(command);
        return;
      default:
    }
  }

  answered(link: Link, command: ClientCommand): void {
    if (command.errno === NbdErrno.ESHUTDOWN) return this.#turnedAway(link, command);
    this.#answerCount++;
    if (command.ended !== null) command.ended(command, null);
    else this.#settle(command);
    if (this.#state === "live") this.#cameBack();
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
    if (this.#state === "dead") {
      this.#failAll(this.#error!);
      return;
    }
    this.#error ??= error;
    this.#state = "lost";
    // What breaks the protocol would break it again.
    if (error.code === "CEV_PROTOCOL") return this.#die(error);
    for (const other of [...this.#links]) other.destroy(error);
    if (this.#links.length === 0) this.#allLost();
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
      if (command.command === Command.flush && this.#isDoubtful) return this.#pause();
      if (!this.#hasRoomFor(command)) {
        this.#unroomed.push(this.#waiting.shift()!);
        this.#flushForRoom();
        continue;
      }
      const link = this.#freestLink();
      if (link === null) return;
      this.#waiting.shift();
      this.#send(link, command);
    }
  }

  #send(link: Link, command: ClientCommand): void {
    this.#reserved += command.cost;
    if (command.command === Command.flush) {
      command.mark = this.#log.sequence;
      command.doubt = this.#doubt;
    } else if (command.command === Command.blockStatus) {
      command.mark = link.negotiated.allocationId ?? -1;
    }
    link.send(command);
    this.#watchAnswers();
    if (this.#log.bytes + this.#reserved > this.#options.unflushedMax / 2) this.#flushForRoom();
  }

  #freestLink(): Link | null {
    let found: Link | null = null;
    for (const link of this.#links) {
      if (link.hasRoom() && (found === null || link.inFlightCount < found.inFlightCount)) found = link;
    }
    return found;
  }

  #costOf({ command, length }: ClientCommand): number {
    if (!this.#keepsLog || command === Command.trim) return 0;
    return costOf(command === Command.write ? length : 0);
  }

  #hasRoomFor({ cost }: ClientCommand): boolean {
    if (cost === 0) return true;
    const taken = this.#log.bytes + this.#reserved;
    // One is always let in: nothing it could wait for is there.
    return taken === 0 || taken + cost <= this.#options.unflushedMax;
  }

  /** A flush of the session's own, so that copies can be let go. */
  #flushForRoom(): void {
    if (this.#hasOwnFlush || this.#log.isEmpty || this.#state !== "live") return;
    this.#hasOwnFlush = true;
    const command = this.#take();
    command.command = Command.flush;
    command.offset = 0;
    command.length = 0;
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
  #failUnroomed(failure: { readonly errno: number; readonly text: string | null }): void {
    for (const command of this.#unroomed.splice(0)) {
      command.errno = failure.errno;
      command.text = failure.text;
      this.#end(command);
    }
  }

  /** A flush was answered. Returns how it failed, for whatever reason; null: what it covers is durable. */
  #flushed(command: ClientCommand): { readonly errno: number; readonly text: string | null } | null {
    if (command.errno === 0 && command.doubt === this.#doubt) {
      this.#log.dropUpTo(command.mark);
      this.#waiting.unshift(...this.#unroomed.splice(0));
      return null;
    }
    if (command.errno === 0) {
      command.errno = NbdErrno.EIO;
      command.text = "a flush beside this one failed";
    } else if (command.doubt === this.#doubt) {
      this.#doubt++;
      // Whoever keeps nothing has nothing to write again.
      this.#isDoubtful = this.#keepsLog;
    }
    const { errno, text } = command;
    return { errno, text };
  }

  /** The answer to a request has come. */
  #settle(command: ClientCommand): void {
    this.#reserved -= command.cost;
    const { offset, length, errno } = command;
    switch (command.command) {
      case Command.flush:
        this.#flushed(command);
        break;
      case Command.write:
      case Command.writeZeroes:
        if (errno === 0 && this.#keepsLog) this.#keep(command);
        break;
      case Command.trim:
        if (errno === 0 && this.#keepsLog) this.#log.cut(offset, length);
        break;
      default:
    }
    this.#end(command);
    if (this.#unroomed.length === 0) return;
    if (this.#hasRoomFor(this.#unroomed[0]!)) this.#waiting.unshift(this.#unroomed.shift()!);
    else this.#flushForRoom();
  }

  #keep({ command, flags, offset, length, data, dataOffset }: ClientCommand): void {
    if ((flags & CommandFlag.fua) !== 0) {
      this.#log.cut(offset, length);
    } else if (command === Command.write) {
      this.#log.add(offset, length, data!.slice(dataOffset, dataOffset + length));
    } else {
      // It was fast enough once.
      this.#log.add(offset, length, null, flags & CommandFlag.noHole);
    }
  }

  /** Ends the request with the answer that stands in its command, and frees the command. */
  #end(command: ClientCommand): void {
    const { io, lock, errno, text, transferred } = command;
    this.#giveBack(command);
    if (lock !== null) this.#locks.release(lock);
    if (io === null) return;
    if (errno === 0) return io.complete();
    const { code, message } = errorOfNbd(errno, opName(io.op), text);
    io.transferred = transferred;
    io.complete(ioError(io, code, message, LAYER));
  }

  #endEarly(command: ClientCommand): void {
    const io = command.takeIo();
    const { lock } = command;
    this.#giveBack(command);
    if (lock !== null) this.#locks.release(lock);
    if (io !== null) endCancelled(io, LAYER);
  }

  #abandon(command: ClientCommand): void {
    const wasQueued = command.state === "queued";
    const link = this.#links.find((one) => one.holds(command));
    if (!link?.abandon(command)) return;
    if (wasQueued) this.#reserved -= command.cost;
    this.#endEarly(command);
    this.#pump();
  }

  /** The server is about to leave: this request is for whoever comes after it. */
  #turnedAway(link: Link, command: ClientCommand): void {
    this.#unanswered.push(command);
    link.destroy(
      new CevError("CEV_DEVICE_LOST", "the server is shutting down", { source: this.#options.source }),
    );
  }

  /** Before another flush all has to be written again: the server has said that it could not keep it. */
  #pause(): void {
    this.#state = "pausing";
    this.#replayWhenIdle();
  }

  #replayWhenIdle(): void {
    if (this.#state !== "pausing" || this.#links.some((link) => link.inFlightCount > 0)) return;
    this.#state = "resuming";
    this.#replay();
  }

  #replay(): void {
    const replay = new Replay({
      log: this.#log,
      links: this.#links,
      take: () => this.#take(),
      giveBack: (command) => this.#giveBack(command),
      ended: (failure) => this.#replayed(failure),
    });
    replay.start();
  }

  #replayed(failure: { readonly errno: number; readonly text: string | null } | null): void {
    if (this.#state !== "resuming") return;
    if (failure !== null) {
      const { message } = errorOfNbd(failure.errno, "write", failure.text);
      const cause = new CevError("CEV_IO", `what it had answered could not be written again: ${message}`);
      return this.#die(cause);
    }
    this.#isDoubtful = false;
    this.#state = "live";
    this.#requeue();
    if (this.#waiting.length === 0) this.#cameBack();
    this.#pump();
  }

  /** What was under way goes first, reads last of it. */
  #requeue(): void {
    const commands = this.#unanswered.splice(0);
    const again = commands.filter((command) => command.command !== Command.read);
    again.push(...commands.filter((command) => command.command === Command.read));
    this.#waiting.unshift(...this.#unroomed.splice(0));
    this.#waiting.unshift(...again);
  }

  /** Something was answered, or nothing is left to be asked: the next loss begins anew. */
  #cameBack(): void {
    this.#error = null;
    this.#attemptIndex = 0;
    this.#awayMs = 0;
  }

  /** No connection is left, and the memory of all requests is free. */
  #allLost(): void {
    this.#watch?.cancel();
    this.#watch = null;
    for (const command of this.#unanswered.slice()) {
      this.#reserved -= command.state === "waiting" ? 0 : command.cost;
      command.state = "waiting";
      const isOurs = command.ended !== null && command.command !== Command.blockStatus;
      if (isOurs) {
        // Copies that were being written again are still in the log; a flush of ours is sent again when it is needed.
        remove(this.#unanswered, command);
        command.ended!(command, this.#lostError(this.#error));
      } else if (command.io?.isCancelRequested === true) {
        remove(this.#unanswered, command);
        this.#endEarly(command);
      }
    }
    if (this.#options.reconnectTimeoutMs === 0) return this.#die(this.#error!);
    // Only the time without a connection counts: a slow disk is waited for.
    this.#awaySince = this.#environment.clock.now();
    const leftMs = Math.max(0, this.#options.reconnectTimeoutMs - this.#awayMs);
    this.#deadline = this.#environment.clock.after(leftMs, () => this.#die(this.#error!));
    this.#tryLater();
  }

  #tryLater(): void {
    const byte = new Uint8Array(1);
    this.#environment.random(byte);
    const delayMs = backoffMs(this.#attemptIndex++, byte[0]!);
    this.#retry = this.#environment.clock.after(delayMs, () => {
      this.#retry = null;
      void this.#reconnect();
    });
  }

  async #reconnect(): Promise<void> {
    let links: Link[];
    try {
      links = await this.#connectAll();
    } catch (error) {
      if (this.#state !== "lost") return;
      if (!(error instanceof CevError)) return this.#die(this.#lostError(error));
      if (error instanceof OtherExportError) return this.#die(error);
      this.#error = error;
      return this.#tryLater();
    }
    if (this.#state !== "lost") {
      for (const link of links) link.disconnect();
      return;
    }
    this.#deadline?.cancel();
    this.#awayMs += this.#environment.clock.now() - this.#awaySince;
    this.#links = links;
    this.#state = "resuming";
    this.#replay();
  }

  /** All connections, or none. */
  async #connectAll(): Promise<Link[]> {
    const { connections, expected, limits, source } = this.#options;
    const links: Link[] = [];
    const attempt = new Attempt(this, links);
    try {
      while (links.length < connections) {
        const link = await this.#options.connect(attempt);
        links.push(link);
        const difference = differenceOf(expected, link.negotiated, limits);
        if (difference !== null) throw new OtherExportError(difference, source);
        if (attempt.error !== null) throw attempt.error;
      }
    } catch (error) {
      attempt.isGivenUp = true;
      for (const link of [...links]) link.disconnect();
      throw error;
    }
    attempt.isTaken = true;
    return links;
  }

  /** Given up, for good. */
  #die(cause: CevError): void {
    if (this.#state === "dead" || this.#state === "closed") return;
    const error = this.#lostError(cause);
    this.#error = error;
    this.#state = "dead";
    this.#stopTimers();
    for (const link of [...this.#links]) link.destroy(error);
    this.#failAll(error);
  }

  /** All but what connections still hold: their memory may be in use. */
  #failAll(error: CevError): void {
    const commands = [...this.#unanswered.splice(0), ...this.#waiting.splice(0), ...this.#unroomed.splice(0)];
    for (const command of commands) {
      if (command.ended !== null) {
        command.ended(command, error);
        continue;
      }
      const { io, lock } = command;
      this.#giveBack(command);
      if (lock !== null) this.#locks.release(lock);
      if (io !== null) this.#failLost(io);
    }
  }

  #failLost(io: Io): void {
    const isClosed = this.#state === "closed";
    const message = isClosed ? "the connection is closed" : (this.#error?.message ?? "the server is gone");
    io.complete(ioError(io, "CEV_DEVICE_LOST", message, LAYER, this.#error ?? undefined));
  }

  #lostError(cause: unknown): CevError {
    const { source } = this.#options;
    if (cause instanceof CevError && cause.code === "CEV_DEVICE_LOST" && cause.place.source === source)
      return cause;
    const why = cause instanceof Error ? `: ${cause.message}` : "";
    const hint = "look at the server; open the device anew when it is there again";
    return new CevError("CEV_DEVICE_LOST", `the server is lost${why}`, { source, hint, cause });
  }

  /** Finds connections on which nothing is answered any more. */
  #watchAnswers(): void {
    const { requestTimeoutMs, source } = this.#options;
    if (requestTimeoutMs === 0 || this.#watch !== null) return;
    const before = this.#answerCount;
    this.#watch = this.#environment.clock.after(requestTimeoutMs, () => {
      this.#watch = null;
      if (!this.#links.some((link) => link.inFlightCount > 0)) return;
      if (this.#answerCount !== before) return this.#watchAnswers();
      const message = `no answer within ${requestTimeoutMs} ms`;
      for (const link of [...this.#links]) link.destroy(new CevError("CEV_TIMED_OUT", message, { source }));
    });
  }

  #stopTimers(): void {
    this.#deadline?.cancel();
    this.#retry?.cancel();
    this.#watch?.cancel();
    this.#deadline = this.#retry = this.#watch = null;
  }

  #take(): ClientCommand {
    return this.#free.pop() ?? new ClientCommand(this);
  }

  #giveBack(command: ClientCommand): void {
    command.clear();
    this.#free.push(command);
  }
}

/** Connections that are being made: one that breaks before all are there ends the attempt, and not the session. */
class Attempt implements LinkUser {
  error: CevError | null = null;
  isTaken = false;
  isGivenUp = false;
  readonly #session: Session;
  readonly #links: Link[];

  constructor(session: Session, links: Link[]) {
    this.#session = session;
    this.#links = links;
  }

  answered(link: Link, command: ClientCommand): void {
    this.#session.answered(link, command);
  }

  freed(): void {
    this.#session.freed();
  }

  lost(link: Link, error: CevError): void {
    if (this.isTaken) return this.#session.lost(link, error);
    this.error ??= error;
    if (!this.isGivenUp) remove(this.#links, link);
  }
}

/** What came back is not what was there. */
class OtherExportError extends CevError {
  constructor(difference: string, source: string) {
    super("CEV_DEVICE_LOST", `it came back as another export: ${difference}`, { source });
  }
}

function ioEnded(): void {
  // The context is there to hear of a cancel.
}

function zeroesFlags(flags: number): number {
  return (
    ((flags & IoFlag.noHole) === 0 ? 0 : CommandFlag.noHole) |
    ((flags & IoFlag.fastZero) === 0 ? 0 : CommandFlag.fastZero)
  );
}

function remove<T>(list: T[], item: T): void {
  const index = list.indexOf(item);
  if (index >= 0) list.splice(index, 1);
}
