import { Buffer } from "node:buffer";
import { CevError, Io } from "@cev/core";
import type { Environment, Layer } from "@cev/core";
import type { Random } from "@cev/test-kit";
import { encodeError } from "../../src/protocol/chunk.ts";
import { encodeExportNameReply, encodeGreeting } from "../../src/protocol/greeting.ts";
import {
  ChunkFlag,
  ChunkType,
  Command,
  CommandFlag,
  HeaderStyle,
  OptionReply,
  OptionType,
  TransmissionFlag,
} from "../../src/protocol/numbers.ts";
import { encodeBlockSizeInfo, encodeExportInfo } from "../../src/protocol/option-info.ts";
import { encodeOptionReply, encodeServerData } from "../../src/protocol/option.ts";
import type { RequestHead } from "../../src/protocol/request-head.ts";
import type { Dialler } from "../../src/client/open-link.ts";
import type { Transport, TransportUser } from "../../src/transport/transport.ts";
import { ClientInput } from "./client-input.ts";
import { OPS, chunk, simpleReply } from "./model-answers.ts";

/** Where a connection stands when something may happen to it. */
export type Moment = "accepted" | "option" | "received" | "done" | "halfAnswered" | "answered";

export interface ModelServerOptions {
  readonly environment: Environment;
  readonly random: Random;
  readonly layer: Layer;
  readonly style?: HeaderStyle;
  readonly flags?: number;
  /** Errors to answer with, by request; 0: none. */
  readonly errnoOf?: (head: Readonly<RequestHead>) => number;
  /** What becomes of an answer on its way. */
  readonly tamper?: (answer: Buffer) => Buffer;
  /** False: exports are asked for as before 2016. */
  readonly knowsGo?: boolean;
  /** It has these exports, and none of the name that is asked for. */
  readonly otherNames?: readonly string[];
  /** False: a read is answered in one piece. Default true: sometimes in two, the second first. */
  readonly splitsReads?: boolean;
  /** Is told of every moment: what it does (cut, crash) happens there. */
  readonly onMoment?: (moment: Moment) => void;
}

const ALL_FLAGS =
  TransmissionFlag.hasFlags |
  TransmissionFlag.sendFlush |
  TransmissionFlag.sendFua |
  TransmissionFlag.sendTrim |
  TransmissionFlag.sendWriteZeroes |
  TransmissionFlag.canMultiConn;

/**
 * A server as simple as can be, over a stream in memory and a disk that completes at once: it does requests in any order, each
 * in a turn of its own, and answers in any order.
 */
export class ModelServer {
  readonly options: ModelServerOptions;
  /** False: nobody listens. */
  isListening = true;
  /** Bytes; what clients are told. */
  size: number;
  connectionCount = 0;
  requestCount = 0;
  /** Connections that were left with a good-bye. */
  goodbyeCount = 0;
  readonly #connections = new Set<ModelConnection>();

  constructor(options: ModelServerOptions) {
    this.options = options;
    this.size = options.layer.limits.size;
  }

  get openCount(): number {
    return this.#connections.size;
  }

  /** The way here. */
  get dialler(): Dialler {
    return {
      source: "model",
      secure: null,
      connect: async (user) => {
        await new Promise<void>((resolve) => this.options.environment.later(resolve));
        if (!this.isListening) throw new CevError("CEV_DEVICE_LOST", "nobody listens there");
        this.connectionCount++;
        const connection = new ModelConnection(this, user);
        this.#connections.add(connection);
        connection.begin();
        return connection;
      },
    };
  }

  /** The line breaks, for all: what was received is done now or never. */
  cut(): void {
    for (const connection of this.#connections) connection.cut();
    this.#connections.clear();
  }

  /** Connections that are there answer nothing any more. */
  stall(): void {
    for (const connection of this.#connections) connection.isStalled = true;
  }

  /** @internal */
  left(connection: ModelConnection): void {
    this.#connections.delete(connection);
  }
}

interface Received {
  readonly head: RequestHead;
  readonly payload: Buffer;
}

/** Both ends of one connection: the client's transport, and the server behind it. */
class ModelConnection implements Transport {
  readonly #server: ModelServer;
  readonly #user: TransportUser;
  readonly #environment: Environment;
  readonly #random: Random;
  isStalled = false;
  readonly #input = new ClientInput();
  #outgoing: Buffer[] = [];
  readonly #pending = new Set<Received>();
  #room: Uint8Array | null = null;
  #isReading = false;
  #isPumping = false;
  #isSending = false;
  #isEnding = false;
  #isOver = false;

  constructor(server: ModelServer, user: TransportUser) {
    this.#server = server;
    this.#user = user;
    this.#environment = server.options.environment;
    this.#random = server.options.random;
  }

  begin(): void {
    this.#say(encodeGreeting());
    this.#moment("accepted");
  }

  // The client's end.

  readonly waitingLength = 0;

  resume(): void {
    this.#isReading = true;
    this.#pump();
  }

  pause(): void {
    this.#isReading = false;
  }

  write(pieces: readonly Buffer[]): boolean {
    if (this.#isOver) return true;
    if (this.#random.chance(0.8)) {
      this.#take(Buffer.concat(pieces.map((piece) => Buffer.from(piece))));
      return true;
    }
    this.#isSending = true;
    this.#environment.later(() => {
      this.#isSending = false;
      if (this.#isOver) return;
      // What is on its way is read from the client's memory only now.
      this.#take(Buffer.concat(pieces));
      if (this.#isEnding) this.end();
      if (!this.#isOver) this.#user.drained();
    });
    return false;
  }

  end(): void {
    this.#isEnding = true;
    // What was handed over leaves before.
    if (this.#isSending) return;
    this.#environment.later(() => this.cut());
  }

  destroy(): void {
    this.cut();
  }

  /** The line breaks. */
  cut(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    for (const received of this.#pending) if (this.#random.chance(0.5)) this.#do(received);
    this.#pending.clear();
    this.#server.left(this);
    this.#environment.later(() => this.#user.closed(null));
  }

  // The server's.

  #moment(moment: Moment): void {
    this.#server.options.onMoment?.(moment);
  }

  #say(...messages: readonly Uint8Array[]): void {
    for (const bytes of messages) this.#outgoing.push(Buffer.from(bytes));
    this.#pump();
  }

  /** Hands bytes to the client in pieces, a turn for each. */
  #pump(): void {
    if (this.#isPumping || this.#outgoing.length === 0) return;
    this.#isPumping = true;
    this.#environment.later(() => {
      this.#isPumping = false;
      if (this.#isOver || !this.#isReading) return;
      const all = Buffer.concat(this.#outgoing.splice(0));
      const length = this.#random.chance(0.5) ? all.length : this.#random.between(1, all.length);
      this.#outgoing.push(all.subarray(length));
      if (length === all.length) this.#outgoing = [];
      let wants = true;
      for (let at = 0; at < length && !this.#isOver;) {
        this.#room ??= this.#user.receiveInto();
        const part = all.subarray(at, Math.min(length, at + this.#room.length));
        this.#room.set(part);
        at += part.length;
        this.#room = null;
        wants = this.#user.received(part.length);
      }
      // As sockets do: memory is asked for as soon as the last was used.
      if (!this.#isOver && wants) this.#room = this.#user.receiveInto();
      this.#pump();
    });
  }

  #take(bytes: Buffer): void {
    this.#input.push(bytes);
    while (!this.#isOver && this.#step()) continue;
  }

  #step(): boolean {
    const message = this.#input.next();
    if (message === null) return false;
    if (message.kind === "flags") return true;
    if (message.kind === "option") {
      this.#option(message.option);
      this.#moment("option");
      return true;
    }
    // The bytes may be the client's own, which it uses again.
    const received = { head: message.head, payload: Buffer.from(message.payload) };
    this.#server.requestCount++;
    if (message.head.command === Command.disconnect) {
      this.#server.goodbyeCount++;
      this.end();
      return false;
    }
    this.#pending.add(received);
    this.#moment("received");
    this.#environment.later(() => {
      if (this.#isOver || !this.#pending.delete(received)) return;
      const answer = this.#do(received);
      this.#moment("done");
      this.#environment.later(() => this.#answer(answer));
    });
    return true;
  }

  #option(option: number): void {
    const reply = (type: number, data?: Uint8Array): void => this.#say(encodeOptionReply(option, type, data));
    const { style = HeaderStyle.structured, flags = ALL_FLAGS } = this.#server.options;
    switch (option) {
      case OptionType.extendedHeaders:
        if (style !== HeaderStyle.extended) return reply(OptionReply.errorUnsupported);
        this.#input.style = style;
        return reply(OptionReply.ack);
      case OptionType.structuredReply:
        if (style === HeaderStyle.simple) return reply(OptionReply.errorUnsupported);
        this.#input.style = HeaderStyle.structured;
        return reply(OptionReply.ack);
      case OptionType.list:
        for (const name of this.#server.options.otherNames ?? [])
          reply(OptionReply.server, encodeServerData(Buffer.from(name), Buffer.alloc(0)));
        return reply(OptionReply.ack);
      case OptionType.exportName:
        this.#say(encodeExportNameReply(this.#server.size, flags, false));
        this.#input.phase = "transmission";
        return;
      case OptionType.info:
      case OptionType.go:
        if (this.#server.options.otherNames !== undefined) return reply(OptionReply.errorUnknown);
        if (this.#server.options.knowsGo === false) return reply(OptionReply.errorUnsupported);
        reply(OptionReply.info, encodeExportInfo(this.#server.size, flags));
        reply(
          OptionReply.info,
          encodeBlockSizeInfo({ minimum: 512, preferred: 4096, payloadMax: 33_554_432 }),
        );
        reply(OptionReply.ack);
        if (option === OptionType.go) this.#input.phase = "transmission";
        return;
      default:
        return reply(OptionReply.errorUnsupported);
    }
  }

  /** Does a request, and tells its answer. */
  #do({ head, payload }: Received): Buffer[] {
    const errno = this.#server.options.errnoOf?.(head) ?? 0;
    if (errno !== 0) return this.#failure(head, errno);
    const data = head.command === Command.read ? Buffer.alloc(head.length) : payload;
    const io = new Io(this.#environment.runQueue).prepare(
      OPS[head.command]!,
      head.offset,
      head.command === Command.flush ? 0 : head.length,
      data,
      0,
      (head.flags & CommandFlag.fua) === 0 ? 0 : 1,
    );
    this.#server.options.layer.submit(io);
    if (io.error !== null) return this.#failure(head, 5);
    return head.command === Command.read ? this.#data(head, data) : this.#success(head);
  }

  #success(head: RequestHead): Buffer[] {
    if (this.#input.style === HeaderStyle.extended)
      return [this.#chunk(head, ChunkType.none, ChunkFlag.done, Buffer.alloc(0))];
    return [simpleReply(head, 0)];
  }

  #failure(head: RequestHead, errno: number): Buffer[] {
    if (this.#input.style === HeaderStyle.simple) return [simpleReply(head, errno)];
    return [this.#chunk(head, ChunkType.error, ChunkFlag.done, encodeError(errno, "as was asked"))];
  }

  /** In one or two pieces, the second first. */
  #data(head: RequestHead, data: Buffer): Buffer[] {
    if (this.#input.style === HeaderStyle.simple) return [Buffer.concat([simpleReply(head, 0), data])];
    const isWhole = this.#server.options.splitsReads === false || this.#random.chance(0.5);
    const cut = isWhole ? 0 : this.#random.below(data.length);
    const piece = (start: number, end: number, flags: number): Buffer => {
      const at = Buffer.alloc(8);
      at.writeBigUInt64BE(BigInt(head.offset + start));
      return this.#chunk(head, ChunkType.offsetData, flags, Buffer.concat([at, data.subarray(start, end)]));
    };
    const first = cut === 0 ? [] : [piece(cut, data.length, 0)];
    return [...first, piece(0, cut === 0 ? data.length : cut, ChunkFlag.done)];
  }

  #chunk(head: RequestHead, type: number, flags: number, payload: Uint8Array): Buffer {
    return chunk(this.#input.style, head, { type, flags }, payload);
  }

  #answer(messages: readonly Buffer[]): void {
    if (this.#isOver || this.isStalled) return;
    const plain = Buffer.concat(messages);
    const all = this.#server.options.tamper?.(plain) ?? plain;
    const half = all.length >> 1;
    this.#say(all.subarray(0, half));
    this.#moment("halfAnswered");
    if (this.#isOver) return;
    this.#say(all.subarray(half));
    this.#moment("answered");
  }
}
