import { CevError } from "@cev/core";
import type { ErrorCode } from "@cev/core";
import { decodeExportNameReply, decodeGreeting, encodeClientFlags } from "../protocol/greeting.ts";
import {
  ClientFlag,
  Command,
  EXPORT_NAME_REPLY_LENGTH,
  EXPORT_NAME_ZEROES_LENGTH,
  GREETING_LENGTH,
  HandshakeFlag,
  HeaderStyle,
  InfoType,
  OPTION_REPLY_HEADER_LENGTH,
  OptionReply,
  OptionType,
  TransmissionFlag,
} from "../protocol/numbers.ts";
import { decodeInfo, encodeInfoRequest } from "../protocol/option-info.ts";
import type { BlockSizes } from "../protocol/option-info.ts";
import { decodeMetaContext, encodeMetaRequest } from "../protocol/option-meta.ts";
import { decodeOptionReplyHead, decodeServerData, encodeOption } from "../protocol/option.ts";
import type { ServerData } from "../protocol/option.ts";
import { encodeRequestHead, newRequestHead, requestLength } from "../protocol/request-head.ts";
import { decodeString, encodeString, textForPeople } from "../protocol/strings.ts";
import type { Channel } from "./channel.ts";
import { HandshakeStream } from "./handshake-stream.ts";
import type { Negotiated } from "./negotiated.ts";

/** The context that tells of holes. */
export const ALLOCATION = "base:allocation";
const ERROR_BIT = 0x80000000;
// More answers to one option are no answer.
const REPLIES_MAX = 65_536;
// Nor is a longer list. Bytes.
const LIST_LENGTH_MAX = 16 * 1024 * 1024;
// So many names are shown to whoever has asked for another.
const NAMES_MAX = 10;

/** What a client asks a server for. */
export interface HandshakeRequest {
  readonly exportName: string;
  /** Ends the handshake with the transmission, or with a look and a good-bye. */
  readonly goal: "go" | "info";
  /** Where the server is, for errors. */
  readonly source: string;
  /** Null: in plain. Otherwise nothing is told or asked before TLS has begun; resolves when it has. */
  readonly startTls: (() => Promise<void>) | null;
}

/** What a server tells of an export in its list. */
export interface ListedExport {
  /** Null: it is no UTF-8, and cannot be asked for. */
  readonly name: string | null;
  /** For people; null: not told. */
  readonly description: string | null;
}

interface Reply {
  readonly type: number;
  readonly data: Uint8Array;
}

/** Does the client's side of the handshake over a channel. Fails with the code of what the server refused, or `CEV_PROTOCOL`. */
export async function shakeHands(channel: Channel, request: HandshakeRequest): Promise<Negotiated> {
  return new ClientHandshake(channel, request).run();
}

/** Asks over a channel for all that the server has, and says good-bye. Fails as `shakeHands` does, and where the server does not tell. */
export async function askForList(
  channel: Channel,
  request: Omit<HandshakeRequest, "exportName" | "goal">,
): Promise<readonly ListedExport[]> {
  return new ClientHandshake(channel, { ...request, exportName: "", goal: "go" }).list();
}

class ClientHandshake {
  readonly #channel: Channel;
  readonly #stream: HandshakeStream;
  readonly #request: HandshakeRequest;
  #hasZeroes = true;
  #style: HeaderStyle = HeaderStyle.simple;
  #allocationId: number | null = null;

  constructor(channel: Channel, request: HandshakeRequest) {
    this.#channel = channel;
    this.#stream = new HandshakeStream(channel);
    this.#request = request;
  }

  async run(): Promise<Negotiated> {
    const isFixed = await this.#greet();
    const { startTls } = this.#request;
    if (!isFixed) {
      if (startTls !== null) throw this.#error("CEV_ACCESS", "the server is too old for TLS");
      return this.#exportName();
    }
    if (startTls !== null) await this.#startTls(startTls);
    if (await this.#ask(OptionType.extendedHeaders)) this.#style = HeaderStyle.extended;
    else if (await this.#ask(OptionType.structuredReply)) this.#style = HeaderStyle.structured;
    if (this.#style !== HeaderStyle.simple) await this.#setContext();
    return this.#info();
  }

  async list(): Promise<readonly ListedExport[]> {
    const isFixed = await this.#greet();
    if (!isFixed) throw this.#error("CEV_NOT_SUPPORTED", "the server is too old to tell what it has");
    const { startTls } = this.#request;
    if (startTls !== null) await this.#startTls(startTls);
    const listed: ListedExport[] = [];
    const refused = await this.#eachExport(({ name, description }) => {
      const text = textForPeople(description);
      listed.push({ name: decodeString(name), description: text === "" ? null : text });
    });
    if (refused === null) {
      await this.#leave();
      return listed;
    }
    if (refused.type !== OptionReply.errorPolicy && refused.type !== OptionReply.errorUnsupported)
      throw await this.#refused(refused.type, refused.data);
    await this.#leave();
    throw this.#error("CEV_ACCESS", "the server does not tell what it has");
  }

  /** Whether the server has the fixed newstyle, which answers options that it does not know. */
  async #greet(): Promise<boolean> {
    const bytes = await this.#stream.take(GREETING_LENGTH);
    const greeting = decodeGreeting(viewOf(bytes), 0);
    if (greeting.kind === "oldstyle")
      throw this.#error("CEV_NOT_SUPPORTED", "the server speaks the oldstyle handshake, of before 2011");
    if (greeting.kind === "unknown") throw this.#error("CEV_PROTOCOL", "this is no NBD server");
    const isFixed = (greeting.flags & HandshakeFlag.fixedNewstyle) !== 0;
    const noZeroes = (greeting.flags & HandshakeFlag.noZeroes) !== 0;
    this.#hasZeroes = !noZeroes;
    await this.#stream.send(
      encodeClientFlags((isFixed ? ClientFlag.fixedNewstyle : 0) | (noZeroes ? ClientFlag.noZeroes : 0)),
    );
    return isFixed;
  }

  async #startTls(begin: () => Promise<void>): Promise<void> {
    if (!(await this.#ask(OptionType.startTls))) {
      await this.#leave();
      throw this.#error(
        "CEV_ACCESS",
        "the server does not offer TLS",
        "without TLS, write nbd instead of nbds",
      );
    }
    // Whatever came in plain behind the answer may be anybody's.
    if (this.#channel.available > 0)
      throw this.#error("CEV_PROTOCOL", "the server sent something between its answer and TLS");
    await begin();
  }

  /** An option without data. False: the server does not know it, or does not want to. */
  async #ask(option: number): Promise<boolean> {
    await this.#stream.send(encodeOption(option));
    const { type, data } = await this.#reply(option);
    if (type === OptionReply.ack) return true;
    if (type === OptionReply.errorTlsRequired || type === OptionReply.errorShutdown)
      throw await this.#refused(type, data);
    if (type < ERROR_BIT)
      throw this.#error("CEV_PROTOCOL", "the server answered something else than was asked");
    return false;
  }

  async #setContext(): Promise<void> {
    const query = { name: this.#request.exportName, queries: [ALLOCATION] };
    await this.#stream.send(encodeOption(OptionType.setMetaContext, encodeMetaRequest(query)));
    for (let count = 0; count < REPLIES_MAX; count++) {
      const { type, data } = await this.#reply(OptionType.setMetaContext);
      // Without contexts nothing is known of holes, and all else works.
      if (type >= ERROR_BIT) return void (this.#allocationId = null);
      if (type === OptionReply.ack) return;
      const context = type === OptionReply.metaContext ? decodeMetaContext(data) : null;
      if (context === null)
        throw this.#error("CEV_PROTOCOL", "the server told a context that cannot be read");
      if (context.name === ALLOCATION) this.#allocationId = context.id;
    }
    throw this.#endless();
  }

  async #info(): Promise<Negotiated> {
    const { exportName, goal } = this.#request;
    const option = goal === "go" ? OptionType.go : OptionType.info;
    const name = encodeString(exportName, "the name of an export");
    const types = [InfoType.description, InfoType.blockSize];
    await this.#stream.send(encodeOption(option, encodeInfoRequest(name, types)));
    let size: number | null = null;
    let flags = 0;
    let sizes: BlockSizes | null = null;
    let description: string | null = null;
    for (let count = 0; count < REPLIES_MAX; count++) {
      const { type, data } = await this.#reply(option);
      if (type === OptionReply.ack) {
        if (size === null) throw this.#error("CEV_PROTOCOL", "the server did not tell the size");
        if (goal === "info") await this.#leave();
        return this.#agreed({ size, flags, sizes, description });
      }
      if (type === OptionReply.errorUnsupported && this.#style !== HeaderStyle.extended)
        return this.#exportName();
      if (type >= ERROR_BIT) throw await this.#refused(type, data);
      const info = type === OptionReply.info ? decodeInfo(data) : null;
      if (info === null) throw this.#error("CEV_PROTOCOL", "the server told something that cannot be read");
      if (info.kind === "export") ({ size, flags } = info);
      else if (info.kind === "blockSize") sizes = this.#checked(info.sizes);
      else if (info.kind === "description") description = textForPeople(info.text);
    }
    throw this.#endless();
  }

  /** The old way, which has no answer for an export that is not there. */
  async #exportName(): Promise<Negotiated> {
    const name = encodeString(this.#request.exportName, "the name of an export");
    await this.#stream.send(encodeOption(OptionType.exportName, name));
    let bytes: Uint8Array;
    try {
      bytes = await this.#stream.take(EXPORT_NAME_REPLY_LENGTH);
    } catch (cause) {
      const message =
        "the server closed the connection when it was asked for the export: there may be none of that name";
      throw this.#error("CEV_NOT_FOUND", message, undefined, cause);
    }
    if (this.#hasZeroes) await this.#stream.take(EXPORT_NAME_ZEROES_LENGTH);
    const { size, flags } = decodeExportNameReply(viewOf(bytes), 0);
    if (this.#request.goal === "info") await this.#disconnect();
    return this.#agreed({ size, flags, sizes: null, description: null });
  }

  #agreed(told: Pick<Negotiated, "size" | "flags" | "sizes" | "description">): Negotiated {
    const { flags } = told;
    return {
      ...told,
      // Without the first bit the others mean nothing.
      flags: (flags & TransmissionFlag.hasFlags) === 0 ? 0 : flags,
      style: this.#style,
      allocationId: this.#allocationId,
      isTls: this.#request.startTls !== null,
    };
  }

  #checked(sizes: BlockSizes): BlockSizes {
    const { minimum, preferred, payloadMax } = sizes;
    const isPower = minimum > 0 && (minimum & (minimum - 1)) === 0 && minimum <= 65_536;
    if (!isPower || preferred < minimum || payloadMax < minimum)
      throw this.#error("CEV_PROTOCOL", "the server's block sizes make no sense");
    return sizes;
  }

  async #reply(option: number): Promise<Reply> {
    const head = decodeOptionReplyHead(viewOf(await this.#stream.take(OPTION_REPLY_HEADER_LENGTH)), 0);
    if (head?.option !== option)
      throw this.#error("CEV_PROTOCOL", "the server's answer is not one to what was asked");
    return { type: head.reply, data: await this.#stream.take(head.dataLength) };
  }

  async #refused(type: number, data: Uint8Array): Promise<CevError> {
    const [code, message, hint] = refusal(type);
    const isLook = type === OptionReply.errorUnknown && this.#request.goal === "info";
    const names = isLook ? await this.#names().catch(() => null) : null;
    await this.#leave();
    const text = textForPeople(data);
    // Some servers say the same in the same words.
    const said = text === "" || text.startsWith(message) ? "" : `: ${text}`;
    return this.#error(code, `${message}${said}`, names === null ? hint : hintOf(names));
  }

  /** The exports that there are, or more than `NAMES_MAX` of them; null: the server does not say. */
  async #names(): Promise<string[] | null> {
    const names: string[] = [];
    const refused = await this.#eachExport(({ name }) => {
      if (names.length <= NAMES_MAX) names.push(textForPeople(name));
    });
    return refused === null ? names : null;
  }

  /** Null when all were told; otherwise how the server refuses to. */
  async #eachExport(take: (told: ServerData) => void): Promise<Reply | null> {
    await this.#stream.send(encodeOption(OptionType.list));
    let length = 0;
    for (let count = 0; count < REPLIES_MAX && length < LIST_LENGTH_MAX; count++) {
      const reply = await this.#reply(OptionType.list);
      if (reply.type === OptionReply.ack) return null;
      if (reply.type >= ERROR_BIT) return reply;
      const told = reply.type === OptionReply.server ? decodeServerData(reply.data) : null;
      if (told === null) throw this.#error("CEV_PROTOCOL", "the server's list cannot be read");
      length += reply.data.length;
      take(told);
    }
    throw this.#endless();
  }

  /** Says good-bye; a server may close without an answer, so none is waited for. */
  async #leave(): Promise<void> {
    await this.#stream.send(encodeOption(OptionType.abort)).catch(() => undefined);
  }

  /** The good-bye of the transmission, in which the old way has ended. */
  async #disconnect(): Promise<void> {
    const bytes = new Uint8Array(requestLength(this.#style));
    const head = { ...newRequestHead(), command: Command.disconnect };
    encodeRequestHead(viewOf(bytes), 0, this.#style, head);
    await this.#stream.send(bytes).catch(() => undefined);
  }

  #endless(): CevError {
    return this.#error("CEV_PROTOCOL", "the server's answer has no end");
  }

  #error(code: ErrorCode, message: string, hint?: string, cause?: unknown): CevError {
    return new CevError(code, message, {
      source: this.#request.source,
      ...(hint === undefined ? {} : { hint }),
      ...(cause === undefined ? {} : { cause }),
    });
  }
}

function hintOf(names: readonly string[]): string {
  if (names.length === 0) return "it has none at all";
  const shown = names.slice(0, NAMES_MAX).map((name) => JSON.stringify(name));
  return `it has ${shown.join(", ")}${names.length > NAMES_MAX ? " and more" : ""}`;
}

function refusal(type: number): [ErrorCode, string, string?] {
  switch (type) {
    case OptionReply.errorUnknown:
      return [
        "CEV_NOT_FOUND",
        "the server has no such export",
        "ask what it has: listExports, or nbdinfo --list",
      ];
    case OptionReply.errorTlsRequired:
      return ["CEV_ACCESS", "the server wants TLS", "write nbds instead of nbd"];
    case OptionReply.errorPolicy:
      return ["CEV_ACCESS", "the server does not allow it"];
    case OptionReply.errorShutdown:
      return ["CEV_DEVICE_LOST", "the server is shutting down"];
    case OptionReply.errorBlockSizeRequired:
      return ["CEV_NOT_SUPPORTED", "the server wants block sizes to be kept that it did not tell"];
    default:
      return ["CEV_PROTOCOL", `the server refused with reply ${type.toString(16)}`];
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}
