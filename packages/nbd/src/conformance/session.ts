import {
  ChunkFlag,
  Command,
  CommandFlag,
  EXTENDED_REPLY_LENGTH,
  EXTENDED_REPLY_MAGIC,
  EXTENDED_REQUEST_LENGTH,
  EXTENDED_REQUEST_MAGIC,
  REQUEST_LENGTH,
  REQUEST_MAGIC,
  SIMPLE_REPLY_LENGTH,
  SIMPLE_REPLY_MAGIC,
  STRUCTURED_REPLY_LENGTH,
  STRUCTURED_REPLY_MAGIC,
} from "../protocol/numbers.ts";
import type { ExportFacts } from "./export-facts.ts";
import { demand, demandEqual, Violation } from "./violation.ts";
import type { Wire } from "./wire.ts";

/** Which heads are used. */
export type Style = "simple" | "structured" | "extended";

/** One request. */
export interface Request {
  readonly command: number;
  readonly flags?: number;
  readonly offset?: number | bigint;
  /** By default that of the payload. */
  readonly length?: number | bigint;
  readonly payload?: Uint8Array;
  readonly cookie?: bigint;
  readonly magic?: number;
}

/** One that was sent. */
export interface SentRequest {
  readonly command: number;
  readonly flags: number;
  readonly offset: bigint;
  readonly length: bigint;
  readonly cookie: bigint;
}

/** One chunk of a reply; a simple reply with data is shown as one, too. */
export interface Chunk {
  readonly flags: number;
  readonly type: number;
  readonly payload: Buffer;
  /** Of an extended head. */
  readonly offset: bigint | null;
}

/** A whole reply. */
export interface Reply {
  readonly request: SentRequest;
  readonly style: Style;
  /** Of a simple reply, else null. */
  readonly simpleError: number | null;
  /** Of a simple reply to a read that succeeded, else null. */
  readonly simpleData: Buffer | null;
  readonly chunks: readonly Chunk[];
}

/** Longest chunk that is read: the longest read of the suite, and room around it. */
const PAYLOAD_MAX = 80_000_000;

/**
 * The transmission of one connection. It checks as much of the replies as it has to know to find their ends: magic numbers,
 * cookies, and that there is a last chunk. What they say is for the checks.
 */
export class Session {
  readonly wire: Wire;
  readonly style: Style;
  readonly facts: ExportFacts;
  /** Ids of the contexts that were selected, by their names. */
  readonly contexts: ReadonlyMap<string, number>;
  readonly #pending: { readonly request: SentRequest; readonly chunks: Chunk[] }[] = [];
  readonly #done: Reply[] = [];
  #cookie = 0x1122_3344_0000_0000n;

  constructor(
    wire: Wire,
    negotiated: {
      readonly style: Style;
      readonly facts: ExportFacts;
      readonly contexts?: ReadonlyMap<string, number>;
    },
  ) {
    this.wire = wire;
    this.style = negotiated.style;
    this.facts = negotiated.facts;
    this.contexts = negotiated.contexts ?? new Map<string, number>();
  }

  /** Sends a request; a write gets the flag that an extended head needs. */
  send(request: Request): SentRequest {
    const sent = this.#sent(request);
    const bytes = encodeRequest(this.style, sent, request);
    this.wire.send(bytes, commandName(sent.command));
    if (sent.command !== Command.disconnect) this.#pending.push({ request: sent, chunks: [] });
    return sent;
  }

  /** Sends one in pieces. */
  async sendPieces(request: Request, pieceLength: number): Promise<SentRequest> {
    const sent = this.#sent(request);
    this.#pending.push({ request: sent, chunks: [] });
    await this.wire.sendPieces(
      encodeRequest(this.style, sent, request),
      pieceLength,
      commandName(sent.command),
    );
    return sent;
  }

  /** Sends several at once. */
  sendAll(requests: readonly Request[]): SentRequest[] {
    const all = requests.map((request) => ({ request, sent: this.#sent(request) }));
    for (const { sent } of all)
      if (sent.command !== Command.disconnect) this.#pending.push({ request: sent, chunks: [] });
    this.wire.send(
      Buffer.concat(all.map(({ request, sent }) => encodeRequest(this.style, sent, request))),
      `${all.length} requests`,
    );
    return all.map(({ sent }) => sent);
  }

  /** Waits for the reply to one request; those to others that come before are kept. */
  async reply(request: SentRequest): Promise<Reply> {
    for (;;) {
      const index = this.#done.findIndex((reply) => reply.request === request);
      if (index >= 0) return this.#done.splice(index, 1)[0]!;
      await this.#receive();
    }
  }

  /** Waits for the next reply, whichever it is. */
  async nextReply(): Promise<Reply> {
    while (this.#done.length === 0) await this.#receive();
    return this.#done.shift()!;
  }

  ask(request: Request): Promise<Reply> {
    return this.reply(this.send(request));
  }

  /** Requests that wait for an answer. */
  get pendingCount(): number {
    return this.#pending.length;
  }

  #sent({
    command,
    flags = 0,
    offset = 0,
    payload,
    length = payload?.length ?? 0,
    cookie,
  }: Request): SentRequest {
    const needsFlag = this.style === "extended" && command === Command.write;
    return {
      command,
      flags: needsFlag ? flags | CommandFlag.payloadLength : flags,
      offset: BigInt(offset),
      length: BigInt(length),
      cookie: cookie ?? (this.#cookie += 1n),
    };
  }

  /** One message. */
  async #receive(): Promise<void> {
    const what = `a reply to ${this.#pending
      .map(({ request }) => commandName(request.command))
      .slice(0, 3)
      .join(", ")}`;
    demand(this.#pending.length > 0, "the suite waits for nothing");
    const magic = (await this.wire.take(4, what)).readUInt32BE(0);
    if (this.style === "extended") {
      demandEqual(hex(magic), hex(EXTENDED_REPLY_MAGIC), "the magic number of a reply with extended headers");
      const head = await this.wire.take(EXTENDED_REPLY_LENGTH - 4, "the head of an extended reply");
      await this.#chunk(
        head.readBigUInt64BE(4),
        head.readUInt16BE(0),
        head.readUInt16BE(2),
        head.readBigUInt64BE(20),
        head.readBigUInt64BE(12),
      );
    } else if (this.style === "structured" && magic === STRUCTURED_REPLY_MAGIC) {
      const head = await this.wire.take(STRUCTURED_REPLY_LENGTH - 4, "the head of a structured reply");
      await this.#chunk(
        head.readBigUInt64BE(4),
        head.readUInt16BE(0),
        head.readUInt16BE(2),
        BigInt(head.readUInt32BE(12)),
        null,
      );
    } else {
      demandEqual(hex(magic), hex(SIMPLE_REPLY_MAGIC), "the magic number of a simple reply");
      await this.#simple(await this.wire.take(SIMPLE_REPLY_LENGTH - 4, "the head of a simple reply"));
    }
  }

  async #simple(head: Buffer): Promise<void> {
    const error = head.readUInt32BE(0);
    const pending = this.#find(head.readBigUInt64BE(4));
    const { request, chunks } = pending;
    const isRead = request.command === Command.read;
    if (this.style === "structured" && isRead)
      throw new Violation("a simple reply to a read came though structured replies were negotiated");
    demand(chunks.length === 0, "a simple reply came in the middle of a structured one");
    const simpleData =
      isRead && error === 0 ? await this.wire.take(Number(request.length), "the data of a read") : null;
    this.#finish(pending, { request, style: this.style, simpleError: error, simpleData, chunks });
  }

  async #chunk(
    cookie: bigint,
    flags: number,
    type: number,
    length: bigint,
    offset: bigint | null,
  ): Promise<void> {
    const pending = this.#find(cookie);
    demand(length <= PAYLOAD_MAX, `a chunk says that it has ${length} bytes`);
    const payload =
      length === 0n ? Buffer.alloc(0) : await this.wire.take(Number(length), "the payload of a chunk");
    pending.chunks.push({ flags, type, payload, offset });
    if ((flags & ChunkFlag.done) === 0) return;
    const { request, chunks } = pending;
    this.#finish(pending, { request, style: this.style, simpleError: null, simpleData: null, chunks });
  }

  #find(cookie: bigint): { readonly request: SentRequest; readonly chunks: Chunk[] } {
    const pending = this.#pending.find(({ request }) => request.cookie === cookie);
    if (pending !== undefined) return pending;
    throw new Violation(
      `a reply has the cookie 0x${cookie.toString(16)}, which no request that waits for an answer has`,
    );
  }

  #finish(pending: { readonly request: SentRequest }, reply: Reply): void {
    this.#pending.splice(
      this.#pending.findIndex((one) => one === pending),
      1,
    );
    this.#done.push(reply);
  }
}

/** A request as it goes over the wire. */
export function encodeRequest(style: Style, sent: SentRequest, request: Request): Buffer {
  const isExtended = style === "extended";
  const head = Buffer.alloc(isExtended ? EXTENDED_REQUEST_LENGTH : REQUEST_LENGTH);
  head.writeUInt32BE(request.magic ?? (isExtended ? EXTENDED_REQUEST_MAGIC : REQUEST_MAGIC), 0);
  head.writeUInt16BE(sent.flags, 4);
  head.writeUInt16BE(sent.command, 6);
  head.writeBigUInt64BE(sent.cookie, 8);
  head.writeBigUInt64BE(sent.offset, 16);
  if (isExtended) head.writeBigUInt64BE(sent.length, 24);
  else head.writeUInt32BE(Number(sent.length), 24);
  return request.payload === undefined ? head : Buffer.concat([head, request.payload]);
}

const COMMAND_NAMES = new Map<number, string>(Object.entries(Command).map(([name, value]) => [value, name]));

export function commandName(command: number): string {
  return COMMAND_NAMES.get(command) ?? `command ${command}`;
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}
