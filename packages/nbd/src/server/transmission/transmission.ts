import { EventState, Op } from "@cev/core";
import type { Burst, Io, RunQueue } from "@cev/core";
import type { Choice } from "../handshake/choice.ts";
import { answer, answerAtOnce, readHeadLength } from "./answers.ts";
import { AtOnceGuess } from "./at-once-guess.ts";
import type { Export } from "../exports/export.ts";
import type { NbdErrno } from "../../protocol/numbers.ts";
import { Command, CommandFlag, HeaderStyle, PAYLOAD_LENGTH_PORTABLE } from "../../protocol/numbers.ts";
import type { TransmissionLimits } from "./limits.ts";
import { statusWork } from "./block-status.ts";
import { cacheWork } from "./cache-work.ts";
import { ColdWork } from "./cold-work.ts";
import type { Work } from "./cold-work.ts";
import { Intake } from "./intake.ts";
import { HOLE_READ_LENGTH_MIN, readHolesWork } from "./read-holes.ts";
import { KeptRequests } from "./kept-requests.ts";
import type { KeptRequestsUser } from "./kept-requests.ts";
import { LongWrite } from "./long-write.ts";
import type { ReceiveBuffer } from "../../memory/receive-buffer.ts";
import { COPY_LENGTH_MAX } from "./reply-writer.ts";
import type { ReplyWriter } from "./reply-writer.ts";
import { RefusedPayload } from "./refused-payload.ts";
import { ioFlagsOf } from "./request-check.ts";
import { Request } from "./request.ts";
import type { RequestOwner } from "./request.ts";
import { RequestMemory } from "./request-memory.ts";
import type { RequestTracer } from "./trace.ts";
import type { TransmissionParts, TransmissionUser } from "./transmission-parts.ts";

// What is gathered leaves at this length, while it is still in cache.
const FLUSH_LENGTH = 262_144;
// So much of what was received at once is done and answered first: the client goes on while the rest is worked on.
const FIRST_LENGTH = 32_768;
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
export class Transmission implements RequestOwner, KeptRequestsUser {
  readonly target: Export;
  readonly #style: HeaderStyle;
  readonly #intake: Intake;
  readonly #memory: RequestMemory;
  readonly #cold: ColdWork;
  readonly #mayHaveHoles: boolean;
  /** True while limits do not let more requests in: nothing more should be received. */
  isBlocked = false;
  /** The client has said goodbye, or nothing more is to be taken. */
  isEnding = false;
  inFlightCount = 0;
  /** Requests that were taken, and bytes of data both ways. */
  requestCount = 0;
  bytesRead = 0;
  bytesWritten = 0;
  readonly #receive: ReceiveBuffer;
  readonly #writer: ReplyWriter;
  readonly #limits: TransmissionLimits;
  readonly #user: TransmissionUser;
  readonly #runQueue: RunQueue;
  readonly #burst: Burst;
  readonly #tracer: RequestTracer | null;
  readonly #requests: Request[] = [];
  readonly #idle: Request[] = [];
  // Ended in a turn of the device's own: answered in a turn of ours.
  readonly #ended: Request[] = [];
  #isClosed = false;
  #hasTurn = false;
  readonly #guess = new AtOnceGuess();
  readonly #kept = new KeptRequests(this);
  #submitting: Request | null = null;
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
    this.#tracer = parts.tracer;
    this.#runQueue = target.device.environment.runQueue;
    this.#burst = target.device.environment.burst;
    const wantTurn = (): void => this.#wantTurn();
    this.#memory = new RequestMemory(parts, wantTurn);
    this.#cold = new ColdWork(target, style, parts.writer, parts, wantTurn);
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
      this.inFlightCount++;
      this.#submit(long);
    }
    this.process();
  }

  /** Takes all requests that are there, as far as the limits allow, and sends what can be sent. */
  process(): void {
    this.isBlocked = false;
    if (this.#takeBurst(FIRST_LENGTH)) {
      this.#writer.flush();
      this.#takeBurst(Number.POSITIVE_INFINITY);
    }
    this.#answerEnded();
    this.#writer.flush();
  }

  /** Answers what has ended since, and goes on where limits had stopped it. */
  turn(): void {
    this.#hasTurn = false;
    if (this.#isClosed) return;
    this.#answerEnded();
    if (this.isBlocked) this.process();
    else this.#writer.flush();
  }

  /** Takes no more. A write of which a part is missing is not done; its memory stays until nothing can come into it any more. */
  stop(): void {
    this.isEnding = true;
  }

  /** The connection is gone. What is under way ends by itself, unanswered. */
  close(): void {
    this.#isClosed = true;
    this.isEnding = true;
    this.#kept.settle();
    this.#cold.close();
    this.#memory.close();
    const long = this.#long.abandon();
    if (long !== null) {
      this.inFlightCount++;
      this.released(long);
    }
    for (const request of this.#ended.splice(0)) this.released(request);
    for (const request of this.#requests)
      if (request !== long && isUnderWay(request)) this.target.fence.adopt(request);
  }

  ended(request: Request): void {
    if (this.#submitting === request) {
      this.#submitting = null;
    } else if (this.#isClosed && request.keeping === "no") {
      this.released(request);
    } else if (!this.#kept.noteEnd(request)) {
      this.#ended.push(request);
      this.#wantTurn();
    }
  }

  released(request: Request): void {
    this.inFlightCount--;
    this.#memory.free(request);
    if (this.#tracer !== null && !this.#isClosed)
      this.#tracer.tell(request, request.startedAt, request.errno);
    this.#idle.push(request);
    if (this.#isClosed) this.#endOrphan(request);
    else if (this.isBlocked || this.isEnding) this.#wantTurn();
  }

  /** Takes requests as one burst, up to so many bytes of those that may end with it. True: there may be more. */
  #takeBurst(lengthMax: number): boolean {
    this.#burst.begin();
    try {
      while (!this.isEnding && !this.#long.isPending && this.#step())
        if (this.#kept.length >= lengthMax) return true;
      return false;
    } finally {
      this.#endBurst();
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
    const request = this.#newRequest();
    this.inFlightCount++;
    if (this.#begin(request)) {
      this.#count(request);
      return true;
    }
    this.inFlightCount--;
    this.#idle.push(request);
    return false;
  }

  #newRequest(): Request {
    const head = this.#intake.head;
    const request = this.#idle.pop() ?? this.#makeRequest();
    request.command = head.command;
    request.flags = head.flags;
    request.cookieHigh = head.cookieHigh;
    request.cookieLow = head.cookieLow;
    request.offset = head.offset;
    request.length = head.length;
    request.errno = 0;
    if (this.#tracer !== null) request.startedAt = this.#tracer.now();
    return request;
  }

  #makeRequest(): Request {
    const request = new Request(this, this.#runQueue);
    this.#requests.push(request);
    return request;
  }

  #beginStatus(): boolean {
    const intake = this.#intake;
    const errno = intake.readStatus(this.#receive);
    if (errno === null) {
      this.#messageLength = intake.headLength + intake.payloadLength;
      return false;
    }
    if (errno !== 0) return this.#refuse(errno);
    const request = this.#newRequest();
    this.inFlightCount++;
    this.#count(request);
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
          this.#memory.addLoad(request, length);
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
    this.#submit(request);
    return true;
  }

  #mayReadHole({ flags, offset, length }: Request): boolean {
    if (!this.#mayHaveHoles || (flags & CommandFlag.df) !== 0) return false;
    return !this.target.dense.covers(offset, length);
  }

  #goCold(request: Request, work: Work): true {
    this.#receive.start += this.#intake.headLength;
    // It may have its answer already.
    this.#settleReplies();
    this.#cold.start(request, work);
    return true;
  }

  #prepareRead(request: Request): boolean {
    const { offset, length } = this.#intake.head;
    if (!this.#guess.isLikely || length > COPY_LENGTH_MAX) {
      if (!this.#acquire(request)) return false;
      request.io.prepare(Op.read, offset, length, request.bytes, 0);
      return true;
    }
    const headLength = readHeadLength(this.#style);
    const replyLength = headLength + length;
    // Behind the replies of those that are kept; no buffer is left with them in it.
    if (!this.#writer.hasRoom(this.#kept.replyLength + replyLength)) this.#settleReplies();
    request.shared = this.#writer.reserve(this.#kept.replyLength + replyLength);
    request.replyAt = this.#writer.position + this.#kept.replyLength;
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
    const isInPlace = !isLong && this.#guess.isLikely;
    if (!isInPlace && !this.#acquire(request)) return false;
    const { memory } = receive;
    const dataAt = receive.start + this.#intake.headLength;
    if (isInPlace) {
      request.shared = memory;
      request.io.prepare(Op.write, offset, length, memory.bytes, dataAt, flags);
      receive.start += messageLength;
      this.#submit(request);
      return true;
    }
    request.io.prepare(Op.write, offset, length, request.bytes, 0, flags);
    const filled = Math.min(length, receive.available - this.#intake.headLength);
    request.bytes.set(memory.bytes.subarray(dataAt, dataAt + filled));
    receive.start = dataAt + filled;
    if (filled === length) {
      this.#submit(request);
    } else {
      // Submitted when all of it is there, and never before.
      this.inFlightCount--;
      this.#long.begin(request, filled);
    }
    return true;
  }

  #submit(request: Request): void {
    request.io.setOwner(tellOwner, request);
    this.#submitting = request;
    const { device, fence } = this.target;
    if (fence.orphanCount === 0 || !mayOvertake(request.io) || !fence.holdsBack(request))
      device.submit(request.io);
    const hasEnded = this.#submitting === null;
    this.#submitting = null;
    if (hasEnded && this.#kept.replyLength === 0) return this.requestEnded(request);
    const { command, length, shared, io } = request;
    if (!hasEnded && io.op > Op.write) return this.#guess.noteLater();
    const hasReply = shared !== null && command === Command.read;
    this.#kept.add(request, hasReply ? readHeadLength(this.#style) + length : 0, hasEnded);
  }

  #endBurst(): void {
    this.#burst.end();
    this.#kept.settle();
  }

  /** From here on the buffer of replies may be used: no read is kept that lies there. */
  #settleReplies(): void {
    if (this.#kept.replyLength === 0) return;
    this.#endBurst();
    this.#burst.begin();
  }

  /** @internal */
  requestEnded(request: Request): void {
    this.#guess.noteAtOnce();
    // Nobody but the connection holds the memory that its data has of the connection.
    if (!this.#isClosed) return answerAtOnce(request, this.#writer, this.#style);
    request.shared = null;
    this.released(request);
  }

  /** @internal */
  requestFailed(request: Request): void {
    this.#guess.noteAtOnce();
    if (this.#isClosed) this.released(request);
    else answer(request, this.#writer, this.#style);
  }

  /** @internal */
  requestGoesOn(request: Request): void {
    this.#guess.noteLater();
    request.shared?.retain();
    if (request.shared !== null) this.#memory.addLoad(request, request.shared.length);
  }

  /** @internal */
  repliesGoOn(): void {
    this.#writer.giveAway();
  }

  #answerEnded(): void {
    const ended = this.#ended;
    // Answering may send, and sending releases, but nothing ends meanwhile.
    for (let index = 0; index < ended.length; index++) answer(ended[index]!, this.#writer, this.#style);
    ended.length = 0;
  }

  #wantTurn(): void {
    if (this.#hasTurn || this.#isClosed) return;
    this.#hasTurn = true;
    this.#user.wantsTurn();
  }

  #hasRoom(): boolean {
    const { requestsMax, bytesMax, unsentMax } = this.#limits;
    const unsentLength = this.#writer.unsentLength + this.#kept.replyLength;
    if (unsentLength >= Math.min(FLUSH_LENGTH, unsentMax)) {
      this.#settleReplies();
      this.#writer.flush();
    }
    return (
      this.inFlightCount < requestsMax &&
      this.#memory.load < bytesMax &&
      this.#writer.unsentLength < unsentMax
    );
  }

  /** Memory of its own for a request, or false: it comes in a later turn. */
  #acquire(request: Request): boolean {
    this.isBlocked = !this.#memory.tryTake(request, request.length);
    return !this.isBlocked;
  }

  #endOrphan(request: Request): void {
    this.target.fence.ended(request);
    this.#user.requestEnded();
  }

  #count({ command, length }: Request): void {
    this.requestCount++;
    if (command === Command.write) this.bytesWritten += length;
    else if (command === Command.read) this.bytesRead += length;
  }

  #refuse(errno: NbdErrno): boolean {
    const { head, headLength, payloadLength } = this.#intake;
    if (payloadLength > SKIP_LENGTH_MAX)
      return this.#violation(`a payload of ${payloadLength} bytes was announced`);
    this.requestCount++;
    this.#tracer?.tell(head, this.#tracer.now(), errno);
    this.#receive.start += headLength;
    this.#refused.begin(errno, head, payloadLength);
    return this.#skip();
  }

  /** False: more of the payload of a refused request is to come. */
  #skip(): boolean {
    this.#settleReplies();
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

function tellOwner(_io: Io, request: Request): void {
  request.owner.ended(request);
}

/** What may put old data over new if it is late. */
function mayOvertake({ op }: Io): boolean {
  return op === Op.write || op === Op.discard || op === Op.writeZeroes;
}

/** Of a request that was submitted: it may yet change the device. */
function isUnderWay({ io }: Request): boolean {
  return mayOvertake(io) && io.state !== EventState.done;
}
