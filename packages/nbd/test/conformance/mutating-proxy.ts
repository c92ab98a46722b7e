import { connect, createServer } from "node:net";
import type { Server, Socket } from "node:net";

/** One option on its way to the server. */
export interface OptionMessage {
  readonly option: number;
  readonly data: Buffer;
}

/** One reply to an option. */
export interface OptionReplyMessage extends OptionMessage {
  readonly type: number;
  /** Other first bytes than the magic number. */
  readonly magic?: string;
}

/** One request on its way to the server. */
export interface RequestMessage {
  readonly flags: number;
  readonly command: number;
  readonly cookie: bigint;
  readonly offset: bigint;
  readonly length: bigint;
  readonly payload: Buffer;
}

/** A simple reply, or a chunk. */
export interface ReplyMessage {
  readonly kind: "simple" | "chunk";
  readonly cookie: bigint;
  /** Of a simple reply. */
  readonly error: number;
  /** Of a chunk. */
  readonly flags: number;
  readonly type: number;
  /** Of an extended chunk. */
  readonly offset: bigint;
  readonly payload: Buffer;
}

/** A bug: whatever it has is done to the messages that pass. */
export interface Mutation {
  greeting?(bytes: Buffer): Buffer;
  clientFlags?(flags: number): number;
  /** Null: the server never sees it. */
  option?(message: OptionMessage): OptionMessage | null;
  /** An answer in place of the server's. */
  answerOption?(message: OptionMessage): readonly OptionReplyMessage[] | null;
  optionReply?(message: OptionReplyMessage): readonly OptionReplyMessage[];
  /** Bytes sent behind the ack of GO. */
  readonly afterGo?: Buffer;
  exportName?(bytes: Buffer): Buffer;
  request?(message: RequestMessage): RequestMessage | null;
  /** An answer in place of the server's. */
  answerRequest?(message: RequestMessage, style: Style): readonly ReplyMessage[] | null;
  reply?(message: ReplyMessage, request: RequestMessage, style: Style): readonly ReplyMessage[];
  /** True: the connection is closed at once when a client says DISC. */
  readonly isHasty?: boolean;
}

export type Style = "simple" | "structured" | "extended";

/** Stands before a server and does one bug to it at a time. */
export class MutatingProxy {
  mutation: Mutation = {};
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server) {
    this.#server = server;
  }

  static async listen(path: string, serverPath: string): Promise<MutatingProxy> {
    const server = createServer({ allowHalfOpen: true });
    const proxy = new MutatingProxy(server);
    server.on("connection", (client) => {
      const upstream = connect({ path: serverPath, allowHalfOpen: true });
      for (const socket of [client, upstream]) {
        proxy.#sockets.add(socket);
        socket.on("error", () => undefined);
        socket.once("close", () => proxy.#sockets.delete(socket));
      }
      new ProxiedConnection(client, upstream, proxy.mutation).start();
    });
    await new Promise<void>((resolve) => server.listen({ path }, resolve));
    return proxy;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** Bytes that came, cut into messages. */
class Parser {
  #bytes: Buffer = Buffer.alloc(0);
  readonly #step: (bytes: Buffer) => number;

  /** `step` looks at the first bytes and says how many of them it has taken; 0: more are needed. */
  constructor(step: (bytes: Buffer) => number) {
    this.#step = step;
  }

  take(bytes: Buffer): void {
    this.#bytes = this.#bytes.length === 0 ? bytes : Buffer.concat([this.#bytes, bytes]);
    while (this.#bytes.length > 0) {
      const taken = this.#step(this.#bytes);
      if (taken === 0) return;
      this.#bytes = this.#bytes.subarray(taken);
    }
  }
}

class ProxiedConnection {
  readonly #client: Socket;
  readonly #upstream: Socket;
  readonly #bug: Mutation;
  #style: Style = "simple";
  #hasZeroes = true;
  #clientPhase: "flags" | "options" | "requests" | "raw" = "flags";
  #serverPhase: "greeting" | "options" | "exportName" | "replies" | "raw" = "greeting";
  readonly #requests = new Map<bigint, RequestMessage[]>();

  constructor(client: Socket, upstream: Socket, bug: Mutation) {
    this.#client = client;
    this.#upstream = upstream;
    this.#bug = bug;
  }

  start(): void {
    const fromClient = new Parser((bytes) => this.#fromClient(bytes));
    const fromServer = new Parser((bytes) => this.#fromServer(bytes));
    this.#client.on("data", (bytes) => fromClient.take(bytes));
    this.#upstream.on("data", (bytes) => fromServer.take(bytes));
    this.#client.on("end", () => this.#upstream.end());
    this.#upstream.on("end", () => this.#client.end());
    this.#client.on("close", () => this.#upstream.destroy());
    this.#upstream.on("close", () => this.#client.end());
  }

  #fromClient(bytes: Buffer): number {
    switch (this.#clientPhase) {
      case "flags": {
        if (bytes.length < 4) return 0;
        const flags = bytes.readUInt32BE(0);
        const changed = Buffer.alloc(4);
        changed.writeUInt32BE((this.#bug.clientFlags?.(flags) ?? flags) >>> 0);
        this.#hasZeroes = (flags & 2) === 0;
        this.#clientPhase = "options";
        this.#upstream.write(changed);
        return 4;
      }
      case "options":
        return this.#clientOption(bytes);
      case "requests":
        return this.#clientRequest(bytes);
      case "raw":
        this.#upstream.write(bytes);
        return bytes.length;
    }
  }

  #clientOption(bytes: Buffer): number {
    if (bytes.length < 16) return 0;
    const length = bytes.readUInt32BE(12);
    if (bytes.toString("latin1", 0, 8) !== "IHAVEOPT" || length > 1_000_000)
      return this.#goRaw(bytes, this.#upstream);
    if (bytes.length < 16 + length) return 0;
    const message = { option: bytes.readUInt32BE(8), data: bytes.subarray(16, 16 + length) };
    const answer = this.#bug.answerOption?.(message) ?? null;
    if (answer !== null) {
      for (const one of answer) this.#client.write(encodeOptionReply(one));
      return 16 + length;
    }
    const changed = this.#bug.option === undefined ? message : this.#bug.option(message);
    if (changed !== null) {
      this.#upstream.write(encodeOption(changed));
      if (message.option === 1) {
        this.#clientPhase = "requests";
        this.#serverPhase = "exportName";
      }
    }
    return 16 + length;
  }

  #clientRequest(bytes: Buffer): number {
    const isExtended = this.#style === "extended";
    const headLength = isExtended ? 32 : 28;
    if (bytes.length < headLength) return 0;
    if (bytes.readUInt32BE(0) !== (isExtended ? 0x21e4_1c71 : 0x2560_9513))
      return this.#goRaw(bytes, this.#upstream);
    const flags = bytes.readUInt16BE(4);
    const command = bytes.readUInt16BE(6);
    const length = isExtended ? bytes.readBigUInt64BE(24) : BigInt(bytes.readUInt32BE(24));
    const hasPayload = isExtended ? (flags & 32) !== 0 : command === 1;
    const payloadLength = hasPayload ? Number(length) : 0;
    if (payloadLength > 100_000_000) return this.#goRaw(bytes, this.#upstream);
    if (bytes.length < headLength + payloadLength) return 0;
    const message: RequestMessage = {
      flags,
      command,
      cookie: bytes.readBigUInt64BE(8),
      offset: bytes.readBigUInt64BE(16),
      length,
      payload: bytes.subarray(headLength, headLength + payloadLength),
    };
    this.#passRequest(message);
    return headLength + payloadLength;
  }

  #passRequest(message: RequestMessage): void {
    if (message.command === 2 && this.#bug.isHasty === true) {
      this.#client.destroy();
      return;
    }
    const answer = this.#bug.answerRequest?.(message, this.#style) ?? null;
    if (answer !== null) {
      for (const one of answer) this.#client.write(encodeReply(one, this.#style));
      return;
    }
    const changed = this.#bug.request === undefined ? message : this.#bug.request(message);
    if (changed === null) return;
    const same = this.#requests.get(message.cookie) ?? [];
    same.push(message);
    this.#requests.set(message.cookie, same);
    this.#upstream.write(encodeRequest(changed, this.#style));
  }

  #fromServer(bytes: Buffer): number {
    switch (this.#serverPhase) {
      case "greeting":
        if (bytes.length < 18) return 0;
        this.#serverPhase = "options";
        this.#client.write(this.#bug.greeting?.(Buffer.from(bytes.subarray(0, 18))) ?? bytes.subarray(0, 18));
        return 18;
      case "options":
        return this.#serverOption(bytes);
      case "exportName": {
        const length = 10 + (this.#hasZeroes ? 124 : 0);
        if (bytes.length < length) return 0;
        const answer = Buffer.from(bytes.subarray(0, length));
        this.#client.write(this.#bug.exportName?.(answer) ?? answer);
        this.#serverPhase = "replies";
        return length;
      }
      case "replies":
        return this.#serverReply(bytes);
      case "raw":
        this.#client.write(bytes);
        return bytes.length;
    }
  }

  #serverOption(bytes: Buffer): number {
    if (bytes.length < 20) return 0;
    const length = bytes.readUInt32BE(16);
    if (bytes.length < 20 + length) return 0;
    const message: OptionReplyMessage = {
      option: bytes.readUInt32BE(8),
      type: bytes.readUInt32BE(12),
      data: Buffer.from(bytes.subarray(20, 20 + length)),
    };
    if (message.type === 1) {
      if (message.option === 8 && this.#style === "simple") this.#style = "structured";
      if (message.option === 11) this.#style = "extended";
      if (message.option === 7) {
        this.#clientPhase = "requests";
        this.#serverPhase = "replies";
      }
    }
    for (const one of this.#bug.optionReply?.(message) ?? [message])
      this.#client.write(encodeOptionReply(one));
    if (message.type === 1 && message.option === 7 && this.#bug.afterGo !== undefined)
      this.#client.write(this.#bug.afterGo);
    return 20 + length;
  }

  #serverReply(bytes: Buffer): number {
    if (bytes.length < 16) return 0;
    const magic = bytes.readUInt32BE(0);
    const cookie = bytes.readBigUInt64BE(8);
    const request = this.#requests.get(cookie)?.[0];
    if (request === undefined) return this.#goRaw(bytes, this.#client);
    const base = { cookie, error: 0, flags: 0, type: 0, offset: 0n };
    let message: ReplyMessage;
    let length: number;
    if (magic === 0x6744_6698) {
      const error = bytes.readUInt32BE(4);
      length = 16 + (request.command === 0 && error === 0 ? Number(request.length) : 0);
      if (bytes.length < length) return 0;
      message = { ...base, kind: "simple", error, payload: Buffer.from(bytes.subarray(16, length)) };
      this.#forget(cookie);
    } else {
      const headLength = this.#style === "extended" ? 32 : 20;
      if (bytes.length < headLength) return 0;
      length = headLength + (headLength === 32 ? Number(bytes.readBigUInt64BE(24)) : bytes.readUInt32BE(16));
      if (bytes.length < length) return 0;
      message = {
        ...base,
        kind: "chunk",
        flags: bytes.readUInt16BE(4),
        type: bytes.readUInt16BE(6),
        offset: headLength === 32 ? bytes.readBigUInt64BE(16) : 0n,
        payload: Buffer.from(bytes.subarray(headLength, length)),
      };
      if ((message.flags & 1) !== 0) this.#forget(cookie);
    }
    for (const one of this.#bug.reply?.(message, request, this.#style) ?? [message])
      this.#client.write(encodeReply(one, this.#style));
    return length;
  }

  #forget(cookie: bigint): void {
    const same = this.#requests.get(cookie);
    same?.shift();
    if (same?.length === 0) this.#requests.delete(cookie);
  }

  /** What is no message passes as it is, and everything after it. */
  #goRaw(bytes: Buffer, to: Socket): number {
    this.#clientPhase = "raw";
    this.#serverPhase = "raw";
    to.write(bytes);
    return bytes.length;
  }
}

function encodeOption({ option, data }: OptionMessage): Buffer {
  const head = Buffer.alloc(16);
  head.write("IHAVEOPT", "latin1");
  head.writeUInt32BE(option, 8);
  head.writeUInt32BE(data.length, 12);
  return Buffer.concat([head, data]);
}

function encodeOptionReply({ option, type, data, magic = "0003e889045565a9" }: OptionReplyMessage): Buffer {
  const head = Buffer.alloc(20);
  head.write(magic, "hex");
  head.writeUInt32BE(option, 8);
  head.writeUInt32BE(type, 12);
  head.writeUInt32BE(data.length, 16);
  return Buffer.concat([head, data]);
}

function encodeRequest(message: RequestMessage, style: Style): Buffer {
  const { flags, command, cookie, offset, length, payload } = message;
  const head = Buffer.alloc(style === "extended" ? 32 : 28);
  head.writeUInt32BE(style === "extended" ? 0x21e4_1c71 : 0x2560_9513, 0);
  head.writeUInt16BE(flags, 4);
  head.writeUInt16BE(command, 6);
  head.writeBigUInt64BE(cookie, 8);
  head.writeBigUInt64BE(offset, 16);
  if (style === "extended") head.writeBigUInt64BE(length, 24);
  else head.writeUInt32BE(Number(length), 24);
  return Buffer.concat([head, payload]);
}

function encodeReply(message: ReplyMessage, style: Style): Buffer {
  const { kind, cookie, error, flags, type, offset, payload } = message;
  const isExtended = style === "extended" && kind === "chunk";
  const head = Buffer.alloc(kind === "simple" ? 16 : isExtended ? 32 : 20);
  head.writeUInt32BE(kind === "simple" ? 0x6744_6698 : isExtended ? 0x6e8a_278c : 0x668e_33ef, 0);
  head.writeBigUInt64BE(cookie, 8);
  if (kind === "simple") head.writeUInt32BE(error, 4);
  else {
    head.writeUInt16BE(flags, 4);
    head.writeUInt16BE(type, 6);
    if (isExtended) {
      head.writeBigUInt64BE(offset, 16);
      head.writeBigUInt64BE(BigInt(payload.length), 24);
    } else head.writeUInt32BE(payload.length, 16);
  }
  return Buffer.concat([head, payload]);
}
