import { EventState, Op } from "@cev/core";
import type { Burst, Io, RunQueue } from "@cev/core";
import { Command } from "../../protocol/numbers.ts";
import type { HeaderStyle } from "../../protocol/numbers.ts";
import type { RequestHead } from "../../protocol/request-head.ts";
import type { Export } from "../exports/export.ts";
import { answer, answerAtOnce, readHeadLength } from "./answers.ts";
import { AtOnceGuess } from "./at-once-guess.ts";
import { KeptRequests } from "./kept-requests.ts";
import type { KeptRequestsUser } from "./kept-requests.ts";
import type { ReplyWriter } from "./reply-writer.ts";
import { RequestMemory } from "./request-memory.ts";
import { Request } from "./request.ts";
import type { RequestOwner } from "./request.ts";
import type { RequestTracer } from "./trace.ts";
import type { TransmissionParts } from "./transmission-parts.ts";
import type { FenceUser } from "./write-fence.ts";

/** Who takes the requests. */
export interface InFlightUser {
  /** Something has ended, or there is memory again: a later turn is wanted. */
  wantTurn(): void;
  /** One has been answered, and holds nothing any more. */
  requestReleased(): void;
  /** One has ended after `close`. */
  orphanEnded(): void;
}

/** The requests of a connection, from the head of their message to the last byte of their reply. */
export class InFlight implements RequestOwner, KeptRequestsUser, FenceUser {
  count = 0;
  /** Of these, how many the fence of the device knows. */
  fencedCount = 0;
  /** Requests that were taken, and bytes of data both ways. */
  requestCount = 0;
  bytesRead = 0;
  bytesWritten = 0;
  readonly memory: RequestMemory;
  readonly guess: AtOnceGuess = new AtOnceGuess();
  readonly kept: KeptRequests = new KeptRequests(this);
  readonly #target: Export;
  readonly #style: HeaderStyle;
  readonly #writer: ReplyWriter;
  readonly #tracer: RequestTracer | null;
  readonly #runQueue: RunQueue;
  readonly #burst: Burst;
  readonly #user: InFlightUser;
  readonly #requests: Request[] = [];
  readonly #idle: Request[] = [];
  // Ended in a turn of the device's own: answered in a turn of ours.
  readonly #ended: Request[] = [];
  #submitting: Request | null = null;
  #isClosed = false;

  constructor(target: Export, style: HeaderStyle, parts: TransmissionParts, user: InFlightUser) {
    this.#target = target;
    this.#style = style;
    this.#writer = parts.writer;
    this.#tracer = parts.tracer;
    this.#runQueue = target.device.environment.runQueue;
    this.#burst = target.device.environment.burst;
    this.#user = user;
    this.memory = new RequestMemory(parts, () => user.wantTurn());
  }

  /** One more. */
  begin(head: Readonly<RequestHead>): Request {
    const request = this.#idle.pop() ?? this.#makeRequest();
    request.command = head.command;
    request.flags = head.flags;
    request.cookieHigh = head.cookieHigh;
    request.cookieLow = head.cookieLow;
    request.offset = head.offset;
    request.length = head.length;
    request.errno = 0;
    request.isTaken = true;
    if (this.#tracer !== null) request.startedAt = this.#tracer.now();
    this.count++;
    return request;
  }

  /** It could not begin yet: as if it had not come. */
  putBack(request: Request): void {
    this.count--;
    request.isTaken = false;
    this.#idle.push(request);
  }

  noteTaken({ command, length }: Request): void {
    this.requestCount++;
    if (command === Command.write) this.bytesWritten += length;
    else if (command === Command.read) this.bytesRead += length;
  }

  noteRefused(head: Readonly<RequestHead>, errno: number): void {
    this.requestCount++;
    this.#tracer?.tell(head, this.#tracer.now(), errno);
  }

  /** Hands a request, whose `Io` is prepared, to the device. */
  submit(request: Request): void {
    request.io.setOwner(tellOwner, request);
    this.#submitting = request;
    const { device, fence } = this.#target;
    // Only where something of another connection is under way is there anything to wait for.
    const mayWait = fence.count > this.fencedCount && changes(request.io);
    if (!mayWait || !fence.holdsBack(request)) device.submit(request.io);
    const hasEnded = this.#submitting === null;
    this.#submitting = null;
    if (hasEnded && this.kept.replyLength === 0) return this.requestEnded(request);
    const { command, length, shared, io } = request;
    if (!hasEnded && io.op > Op.write) {
      this.guess.noteLater();
      return this.#fence(request);
    }
    const hasReply = shared !== null && command === Command.read;
    this.kept.add(request, hasReply ? readHeadLength(this.#style) + length : 0, hasEnded);
  }

  beginBurst(): void {
    this.#burst.begin();
  }

  endBurst(): void {
    this.#burst.end();
    this.kept.settle();
  }

  /** From here on the buffer of replies may be used: no read is kept that lies there. */
  settleReplies(): void {
    if (this.kept.replyLength === 0) return;
    try {
      this.endBurst();
    } finally {
      // Whoever began the burst ends it.
      this.#burst.begin();
    }
  }

  answerEnded(): void {
    const ended = this.#ended;
    if (ended.length === 0) return;
    let count = 0;
    try {
      // Answering may send, and sending releases, but nothing ends meanwhile.
      while (count < ended.length) this.#answer(ended[count++]!, answer);
    } finally {
      // Those before one that could not be answered are through, and those behind it are not.
      if (count === ended.length) ended.length = 0;
      else ended.splice(0, count);
    }
  }

  /** There is nobody any more to be answered. `unsubmitted`: a write of which a part is missing. */
  close(unsubmitted: Request | null): void {
    this.#isClosed = true;
    this.kept.settle();
    this.memory.close();
    if (unsubmitted !== null) {
      this.count++;
      this.released(unsubmitted);
    }
    for (const request of this.#ended.splice(0)) this.released(request);
    for (const request of this.#requests) {
      if (request.fencing === "waiting") this.#target.fence.drop(request);
      // A wish: what is under way may yet change the device, until it has ended.
      else if (request !== unsubmitted && request.io.state !== EventState.done) request.io.cancel();
    }
  }

  ended(request: Request): void {
    if (request.fencing !== "no") this.#target.fence.ended(request);
    if (this.#submitting === request) {
      this.#submitting = null;
    } else if (this.#isClosed && request.keeping === "no") {
      this.released(request);
    } else if (!this.kept.noteEnd(request)) {
      this.#ended.push(request);
      this.#user.wantTurn();
    }
  }

  released(request: Request): void {
    this.count--;
    request.isTaken = false;
    this.memory.free(request);
    if (this.#tracer !== null && !this.#isClosed)
      this.#tracer.tell(request, request.startedAt, request.errno);
    this.#idle.push(request);
    if (this.#isClosed) this.#user.orphanEnded();
    else this.#user.requestReleased();
  }

  /** @internal */
  requestEnded(request: Request): void {
    this.guess.noteAtOnce();
    // Nobody but the connection holds the memory that its data has of the connection.
    if (!this.#isClosed) return this.#answer(request, answerAtOnce);
    request.shared = null;
    this.released(request);
  }

  /** @internal */
  requestFailed(request: Request): void {
    this.guess.noteAtOnce();
    if (this.#isClosed) this.released(request);
    else this.#answer(request, answer);
  }

  /** @internal */
  requestGoesOn(request: Request): void {
    this.guess.noteLater();
    request.shared?.retain();
    if (request.shared !== null) this.memory.addLoad(request, request.shared.length);
    this.#fence(request);
  }

  /** @internal */
  repliesGoOn(): void {
    this.#writer.giveAway();
  }

  /** Where there is no memory for the answer its connection ends, and nobody else would let go of the request. */
  #answer(request: Request, how: typeof answer): void {
    try {
      how(request, this.#writer, this.#style);
    } catch (error) {
      this.released(request);
      throw error;
    }
  }

  #makeRequest(): Request {
    const request = new Request(this, this.#runQueue);
    this.#requests.push(request);
    return request;
  }

  /** It goes on beyond its turn: from here on others may have to wait for it. */
  #fence(request: Request): void {
    if (request.fencing === "no" && changes(request.io)) this.#target.fence.goesOn(request);
  }
}

function tellOwner(_io: Io, request: Request): void {
  request.owner.ended(request);
}

/** What may put old data over new if it is late. */
function changes({ op }: Io): boolean {
  return op === Op.write || op === Op.discard || op === Op.writeZeroes;
}
