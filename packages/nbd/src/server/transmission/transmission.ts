import { Op, isCevError } from "@cev/core";
import type { Choice } from "../handshake/choice.ts";
import { readHeadLength } from "./answers.ts";
import type { Export } from "../exports/export.ts";
import {
  Command,
  CommandFlag,
  HeaderStyle,
  NbdErrno,
  PAYLOAD_LENGTH_PORTABLE,
} from "../../protocol/numbers.ts";
import type { TransmissionLimits } from "./limits.ts";
import { statusWork } from "./block-status.ts";
import { cacheWork } from "./cache-work.ts";
import { ColdWork } from "./cold-work.ts";
import type { Work } from "./cold-work.ts";
import { Intake } from "./intake.ts";
import { HOLE_READ_LENGTH_MIN, readHolesWork } from "./read-holes.ts";
import { InFlight } from "./in-flight.ts";
import type { InFlightUser } from "./in-flight.ts";
import { LongWrite } from "./long-write.ts";
import type { ReceiveBuffer } from "../../memory/receive-buffer.ts";
import { COPY_LENGTH_MAX } from "./reply-writer.ts";
import type { ReplyWriter } from "./reply-writer.ts";
import { RefusedPayload } from "./refused-payload.ts";
import { ioFlagsOf } from "./request-check.ts";
import type { Request } from "./request.ts";
import type { TransmissionParts, TransmissionUser } from "./transmission-parts.ts";

// What is gathered leaves at this length, while it is still in cache.
const FLUSH_LENGTH = 262_144;
// A longer payload is not even skipped.
const SKIP_LENGTH_MAX = 2 * PAYLOAD_LENGTH_PORTABLE;

/**
 * The second phase of a connection: takes requests from what was received, hands them to the device, answers in whatever
 * order they end.
 *
 * A device that completes at once (memory) gets data where it was received, and reads right into the buffer of replies.
 * Whether it will is guessed from its last answers. Where the guess was wrong that memory stays with the request, and the
 * connection goes on with other memory.
 */
export class Transmission implements InFlightUser {
  readonly target: Export;
  readonly #style: HeaderStyle;
  readonly #intake: Intake;
  readonly #inFlight: InFlight;
  readonly #cold: ColdWork;
  readonly #mayHaveHoles: boolean;
  /** True while limits do not let more requests in: nothing more should be received. */
  isBlocked = false;
  /** The client has said goodbye, or nothing more is to be taken. */
  isEnding = false;
  readonly #receive: ReceiveBuffer;
  readonly #writer: ReplyWriter;
  readonly #limits: TransmissionLimits;
  readonly #user: TransmissionUser;
  #isClosed = false;
  #hasTurn = false;
  #isOutOfMemory = false;
  readonly #long = new LongWrite();
  readonly #refused = new RefusedPayload();
  // What is there of the next message is less than this.
  #messageLength: number;

  constructor(choice: Choice, parts: TransmissionParts) {
    const { target, style } = choice;
    this.target = target;
    this.#style = style;
    this.#intake = new Intake(choice);
    this.#messageLength = this.#intake.headLength;
    this.#mayHaveHoles = style !== HeaderStyle.simple && target.device.knowsExtents;
    this.#receive = parts.receive;
    this.#writer = parts.writer;
    this.#limits = parts.limits;
    this.#user = parts.user;
    this.#inFlight = new InFlight(target, style, parts, this);
    this.#cold = new ColdWork(target, style, parts, {
      wantTurn: () => this.wantTurn(),
      failed: (error) => this.#user.failed(error),
    });
  }

  get inFlightCount(): number {
    return this.#inFlight.count;
  }

  /** Requests that were taken, and bytes of data both ways. */
  get requestCount(): number {
    return this.#inFlight.requestCount;
  }

  get bytesRead(): number {
    return this.#inFlight.bytesRead;
  }

  get bytesWritten(): number {
    return this.#inFlight.bytesWritten;
  }

  /** True when all that was taken is answered and has left. */
  get isSettled(): boolean {
    return this.inFlightCount === 0 && this.#writer.isIdle;
  }

  /** True while a part of a message is there, and the rest is waited for. */
  get isReceivingMessage(): boolean {
    if (this.isBlocked || this.isEnding) return false;
    return this.#long.isPending || this.#refused.isPending || this.#receive.available > 0;
  }

  /** Where the next bytes go. */
  receiveInto(): Uint8Array {
    return this.#long.room() ?? this.#receive.room(this.#messageLength);
  }

  /** So many bytes are there now. */
  received(length: number): void {
    const long = this.#long.received(length, this.#receive);
    if (long !== null) {
      this.#inFlight.count++;
      this.#inFlight.submit(long);
    }
    this.process();
  }

  /** Takes all requests that are there, as far as the limits allow, and sends what can be sent. */
  process(): void {
    this.isBlocked = false;
    if (this.#takeBurst(true)) {
      this.#writer.flush();
      this.#takeBurst(false);
    }
    this.#inFlight.answerEnded();
    this.#writer.flush();
  }

  /** Answers what has ended since, and goes on where limits had stopped it. */
  turn(): void {
    this.#hasTurn = false;
    if (this.#isClosed) return;
    this.#inFlight.answerEnded();
    if (this.isBlocked) this.process();
    else this.#writer.flush();
    this.#cold.goOn();
    this.#inFlight.memory.passOn();
  }

  /** Takes no more. A write of which a part is missing is not done: nobody waits for its memory, which stays until nothing can come into it. */
  stop(): void {
    this.isEnding = true;
    this.#inFlight.memory.uncount(this.#long.request);
  }

  /** The connection is gone. What is under way ends by itself, unanswered. */
  close(): void {
    this.#isClosed = true;
    this.isEnding = true;
    this.#inFlight.close(this.#long.abandon());
    this.#cold.close();
  }

  /** @internal */
  requestReleased(): void {
    if (this.isBlocked || this.isEnding) this.wantTurn();
  }

  /** @internal */
  orphanEnded(): void {
    this.#user.requestEnded();
  }

  /** @internal */
  wantTurn(): void {
    if (this.#hasTurn || this.#isClosed) return;
    this.#hasTurn = true;
    this.#user.wantsTurn();
  }

  /** Takes requests as one burst; of the first, not all when that would be many. True: there may be more. */
  #takeBurst(isFirst: boolean): boolean {
    const inFlight = this.#inFlight;
    inFlight.beginBurst();
    try {
      while (!this.isEnding && !this.#long.isPending && this.#step())
        if (isFirst && inFlight.kept.areMany) return true;
      return false;
    } finally {
      inFlight.endBurst();
    }
  }

  /** Takes one message. False: more bytes, or more room, are needed first. */
  #step(): boolean {
    const receive = this.#receive;
    if (this.#refused.isPending && !this.#skip()) return false;
    if (receive.available < this.#intake.headLength) {
      this.#messageLength = this.#intake.headLength;
      return false;
    }
    const { view } = receive.memory;
    const intake = this.#intake;
    if (!intake.isHead(view, receive.start))
      return this.#violation("a request does not start with its magic number");
    if (!this.#hasRoom()) {
      this.#messageLength = intake.headLength;
      this.isBlocked = true;
      return false;
    }
    const errno = intake.read(view, receive.start);
    if (errno === null) return this.#violation(`a payload of ${intake.payloadLength} bytes was announced`);
    if (errno !== 0) return this.#refuse(errno);
    const { command } = intake.head;
    if (command === Command.blockStatus) return this.#beginStatus();
    if (command !== Command.disconnect) return this.#beginRequest();
    this.isEnding = true;
    return false;
  }

  #beginRequest(): boolean {
    const request = this.#inFlight.begin(this.#intake.head);
    let hasBegun = false;
    try {
      hasBegun = this.#begin(request);
    } finally {
      // Where that threw it may have been answered, and released, nonetheless.
      if (hasBegun) this.#inFlight.noteTaken(request);
      else if (request.isTaken) this.#inFlight.putBack(request);
    }
    return hasBegun || (this.#isOutOfMemory && this.#refuse(NbdErrno.ENOMEM));
  }

  #beginStatus(): boolean {
    const intake = this.#intake;
    const errno = intake.readStatus(this.#receive);
    if (errno === null) {
      this.#messageLength = intake.headLength + intake.payloadLength;
      return false;
    }
    if (errno !== 0) return this.#refuse(errno);
    // Before it is one: that may throw.
    this.#inFlight.settleReplies();
    const request = this.#inFlight.begin(intake.head);
    this.#inFlight.noteTaken(request);
    this.#receive.start += intake.payloadLength;
    return this.#goCold(request, statusWork(intake.contexts));
  }

  /** Submits a request whose head lies at the start of what was received. False: not yet, and nothing has changed. */
  #begin(request: Request): boolean {
    const { offset, length } = this.#intake.head;
    const { io } = request;
    const flags = ioFlagsOf(request.flags);
    switch (request.command) {
      case Command.read:
        if (length >= HOLE_READ_LENGTH_MIN && this.#mayReadHole(request)) {
          this.#inFlight.memory.addLoad(request, length);
          return this.#goCold(request, readHolesWork);
        }
        if (!this.#prepareRead(request)) return false;
        break;
      case Command.write:
        return this.#beginWrite(request, flags);
      case Command.cache:
        return this.#goCold(request, cacheWork);
      case Command.flush:
        io.prepare(Op.flush, 0, 0);
        break;
      case Command.trim:
        this.target.dense.forget(offset, length);
        io.prepare(Op.discard, offset, length, null, 0, flags);
        break;
      default:
        this.target.dense.forget(offset, length);
        io.prepare(Op.writeZeroes, offset, length, null, 0, flags);
    }
    this.#receive.start += this.#intake.headLength;
    this.#inFlight.submit(request);
    return true;
  }

  #mayReadHole({ flags, offset, length }: Request): boolean {
    if (!this.#mayHaveHoles || (flags & CommandFlag.df) !== 0) return false;
    return !this.target.dense.covers(offset, length);
  }

  #goCold(request: Request, work: Work): true {
    this.#receive.start += this.#intake.headLength;
    // It may have its answer already.
    this.#inFlight.settleReplies();
    this.#cold.start(request, work);
    return true;
  }

  #prepareRead(request: Request): boolean {
    const { offset, length } = this.#intake.head;
    if (!this.#inFlight.guess.isLikely || length > COPY_LENGTH_MAX) {
      if (!this.#acquire(request)) return false;
      request.io.prepare(Op.read, offset, length, request.bytes, 0);
      return true;
    }
    const headLength = readHeadLength(this.#style);
    const replyLength = headLength + length;
    // Behind the replies of those that are kept; no buffer is left with them in it.
    if (!this.#writer.hasRoom(this.#inFlight.kept.replyLength + replyLength)) this.#inFlight.settleReplies();
    request.shared = this.#writer.reserve(this.#inFlight.kept.replyLength + replyLength);
    request.replyAt = this.#writer.position + this.#inFlight.kept.replyLength;
    request.io.prepare(Op.read, offset, length, request.shared.bytes, request.replyAt + headLength);
    return true;
  }

  #beginWrite(request: Request, flags: number): boolean {
    const { offset, length } = this.#intake.head;
    const receive = this.#receive;
    const messageLength = this.#intake.headLength + length;
    const isLong = messageLength > receive.capacity;
    if (!isLong && receive.available < messageLength) {
      this.#messageLength = messageLength;
      return false;
    }
    const isInPlace = !isLong && this.#inFlight.guess.isLikely;
    if (!isInPlace && !this.#acquire(request)) return false;
    const { memory } = receive;
    const dataAt = receive.start + this.#intake.headLength;
    if (isInPlace) {
      request.shared = memory;
      request.io.prepare(Op.write, offset, length, memory.bytes, dataAt, flags);
      receive.start += messageLength;
      this.#inFlight.submit(request);
      return true;
    }
    request.io.prepare(Op.write, offset, length, request.bytes, 0, flags);
    const filled = Math.min(length, receive.available - this.#intake.headLength);
    request.bytes.set(memory.bytes.subarray(dataAt, dataAt + filled));
    receive.start = dataAt + filled;
    if (filled === length) {
      this.#inFlight.submit(request);
    } else {
      // Submitted when all of it is there, and never before.
      this.#inFlight.count--;
      this.#long.begin(request, filled);
    }
    return true;
  }

  #hasRoom(): boolean {
    const { requestsMax, bytesMax, unsentMax } = this.#limits;
    const unsentLength = this.#writer.unsentLength + this.#inFlight.kept.replyLength;
    if (unsentLength >= Math.min(FLUSH_LENGTH, unsentMax)) {
      this.#inFlight.settleReplies();
      this.#writer.flush();
    }
    return (
      this.inFlightCount < requestsMax &&
      this.#inFlight.memory.load < bytesMax &&
      this.#writer.unsentLength < unsentMax
    );
  }

  /** Memory of its own for a request, or false: it comes in a later turn, or never. */
  #acquire(request: Request): boolean {
    try {
      this.isBlocked = !this.#inFlight.memory.tryTake(request, request.length);
      return !this.isBlocked;
    } catch (error) {
      if (!isCevError(error) || error.code !== "CEV_NO_MEMORY") throw error;
      this.#isOutOfMemory = true;
      return false;
    }
  }

  #refuse(errno: NbdErrno): boolean {
    this.#isOutOfMemory = false;
    const { head, headLength, payloadLength } = this.#intake;
    if (payloadLength > SKIP_LENGTH_MAX)
      return this.#violation(`a payload of ${payloadLength} bytes was announced`);
    this.#inFlight.noteRefused(head, errno);
    this.#receive.start += headLength;
    this.#refused.begin(errno, head, payloadLength);
    return this.#skip();
  }

  /** False: more of the payload of a refused request is to come. */
  #skip(): boolean {
    this.#inFlight.settleReplies();
    if (this.#refused.skip(this.#receive, this.#writer, this.#style)) return true;
    this.#messageLength = 1;
    return false;
  }

  #violation(message: string): false {
    this.isEnding = true;
    this.#user.violation(message);
    return false;
  }
}
