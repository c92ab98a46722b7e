import type { ExportList } from "../exports/export-list.ts";
import type { Export } from "../exports/export.ts";
import { encodeExportNameReply, encodeGreeting } from "../../protocol/greeting.ts";
import { decodeOptionHead, encodeOptionReply, encodeServerData } from "../../protocol/option.ts";
import {
  decodeInfoRequest,
  encodeBlockSizeInfo,
  encodeExportInfo,
  encodeTextInfo,
} from "../../protocol/option-info.ts";
import { decodeString } from "../../protocol/strings.ts";
import {
  CLIENT_FLAGS_LENGTH,
  ClientFlag,
  HeaderStyle,
  InfoType,
  OPTION_HEADER_LENGTH,
  OptionReply,
  OptionType,
} from "../../protocol/numbers.ts";
import type { Security } from "./negotiation.ts";
import type { ReceiveBuffer } from "../../memory/receive-buffer.ts";
import type { ReplyWriter } from "../transmission/reply-writer.ts";

/** How a handshake ended. */
export type HandshakeResult =
  | {
      readonly kind: "transmission";
      readonly target: Export;
      readonly style: HeaderStyle;
      readonly security: Security;
    }
  /**
   * The agreement to start TLS is to be sent; what comes after it is encrypted. The next handshake is
   * `Handshake.afterTls`.
   */
  | { readonly kind: "startTls" }
  /** The client said goodbye; the last answer is still to be sent. */
  | { readonly kind: "aborted" }
  /** It cannot go on, and the protocol has no answer for it. */
  | { readonly kind: "refused"; readonly message: string };

// Longer data is not kept: no option that is known here needs more.
const OPTION_DATA_LENGTH_MAX = 16_384;

/** The first phase of a connection: greets, answers options, until the client has chosen an export. */
export class Handshake {
  /** Null while it goes on. */
  result: HandshakeResult | null = null;
  /** From now on every option but a goodbye is refused. */
  isShuttingDown = false;
  readonly #exports: ExportList;
  readonly #writer: ReplyWriter;
  #hasClientFlags = false;
  #sendsZeroes = true;
  #style: HeaderStyle = HeaderStyle.simple;
  // Of an option whose data is too long to be kept.
  #skipLength = 0;
  #skippedOption = 0;

  constructor(exports: ExportList, writer: ReplyWriter) {
    this.#exports = exports;
    this.#writer = writer;
  }

  greet(): void {
    this.#writer.put(encodeGreeting());
  }

  /**
   * Uses what has been received, and sends the answers; no more options are taken while the client does not read them.
   * Returns the length of the message of which more is needed.
   */
  process(receive: ReceiveBuffer): number {
    let messageLength = 0;
    while (messageLength === 0 && this.result === null && this.#writer.isIdle) {
      messageLength = this.#step(receive);
      this.#writer.flush();
    }
    return Math.max(1, messageLength);
  }

  /** Returns 0 when it got further, else the length of the message that is not all there. */
  #step(receive: ReceiveBuffer): number {
    if (!this.#hasClientFlags) return this.#takeClientFlags(receive);
    if (this.#skipLength > 0) return this.#skip(receive);
    if (receive.available < OPTION_HEADER_LENGTH) return OPTION_HEADER_LENGTH;
    const head = decodeOptionHead(receive.memory.view, receive.start);
    if (head === null) return this.#refuse("an option does not start with its magic number");
    const { option, dataLength } = head;
    if (dataLength > OPTION_DATA_LENGTH_MAX) {
      if (option === OptionType.exportName) return this.#refuse("the name of an export is too long");
      receive.start += OPTION_HEADER_LENGTH;
      this.#skipLength = dataLength;
      this.#skippedOption = option;
      return 0;
    }
    const messageLength = OPTION_HEADER_LENGTH + dataLength;
    if (receive.available < messageLength) return messageLength;
    const dataAt = receive.start + OPTION_HEADER_LENGTH;
    this.#answer(option, receive.memory.bytes.subarray(dataAt, dataAt + dataLength));
    receive.start += messageLength;
    return 0;
  }

  #takeClientFlags(receive: ReceiveBuffer): number {
    if (receive.available < CLIENT_FLAGS_LENGTH) return CLIENT_FLAGS_LENGTH;
    const flags = receive.memory.view.getUint32(receive.start);
    receive.start += CLIENT_FLAGS_LENGTH;
    this.#hasClientFlags = true;
    this.#sendsZeroes = (flags & ClientFlag.noZeroes) === 0;
    const known = ClientFlag.fixedNewstyle | ClientFlag.noZeroes;
    return (flags & ~known) === 0 ? 0 : this.#refuse(`the client has flags that were not offered (${flags})`);
  }

  #skip(receive: ReceiveBuffer): number {
    const length = Math.min(this.#skipLength, receive.available);
    receive.start += length;
    this.#skipLength -= length;
    if (this.#skipLength > 0) return 1;
    const option = this.#skippedOption;
    if (option === OptionType.abort) this.#answer(option, new Uint8Array(0));
    else this.#reply(option, isKnown(option) ? OptionReply.errorTooBig : OptionReply.errorUnsupported);
    return 0;
  }

  #answer(option: number, data: Uint8Array): void {
    if (this.isShuttingDown && option !== OptionType.abort) {
      if (option === OptionType.exportName) this.#refuse("the server is being shut down");
      else this.#reply(option, OptionReply.errorShutdown);
      return;
    }
    switch (option) {
      case OptionType.exportName:
        return this.#takeExportName(data);
      case OptionType.abort:
        // Data that comes with it is ignored.
        this.#reply(option, OptionReply.ack);
        this.result = { kind: "aborted" };
        return;
      case OptionType.list:
        return this.#list(data);
      case OptionType.info:
      case OptionType.go:
        return this.#inform(option, data);
      case OptionType.structuredReply:
        if (data.length > 0) return this.#reply(option, OptionReply.errorInvalid);
        this.#style = HeaderStyle.structured;
        return this.#reply(option, OptionReply.ack);
      default:
        return this.#reply(option, OptionReply.errorUnsupported);
    }
  }

  #takeExportName(data: Uint8Array): void {
    const name = decodeString(data);
    const target = name === null ? null : this.#exports.find(name);
    if (target === null) {
      this.#refuse(`there is no export ${JSON.stringify(name)}`);
      return;
    }
    const flags = target.flags(this.#style !== HeaderStyle.simple);
    this.#writer.put(encodeExportNameReply(target.device.size, flags, this.#sendsZeroes));
    this.#enter(target);
  }

  #list(data: Uint8Array): void {
    if (data.length > 0) return this.#reply(OptionType.list, OptionReply.errorInvalid);
    for (const { nameBytes, descriptionBytes } of this.#exports.all) {
      this.#reply(OptionType.list, OptionReply.server, encodeServerData(nameBytes, descriptionBytes));
    }
    this.#reply(OptionType.list, OptionReply.ack);
  }

  #inform(option: number, data: Uint8Array): void {
    const request = decodeInfoRequest(data);
    if (request === null) return this.#reply(option, OptionReply.errorInvalid);
    const target = this.#exports.find(request.name);
    if (target === null) return this.#reply(option, OptionReply.errorUnknown);
    const flags = target.flags(this.#style !== HeaderStyle.simple);
    this.#reply(option, OptionReply.info, encodeExportInfo(target.device.size, flags));
    // Each is told once, also when it was asked for twice.
    for (const type of new Set(request.infoTypes)) {
      const info = infoOf(target, type);
      if (info !== null) this.#reply(option, OptionReply.info, info);
    }
    this.#reply(option, OptionReply.ack);
    if (option === OptionType.go) this.#enter(target);
  }

  #enter(target: Export): void {
    this.result = { kind: "transmission", target, style: this.#style, security: { kind: "plain" } };
  }

  #reply(option: number, reply: number, data?: Uint8Array): void {
    this.#writer.put(encodeOptionReply(option, reply, data));
  }

  #refuse(message: string): number {
    this.result = { kind: "refused", message };
    return 0;
  }
}

function isKnown(option: number): boolean {
  return (
    option === OptionType.list ||
    option === OptionType.info ||
    option === OptionType.go ||
    option === OptionType.structuredReply
  );
}

function infoOf(target: Export, type: number): Uint8Array | null {
  switch (type) {
    case InfoType.name:
      return encodeTextInfo(InfoType.name, target.nameBytes);
    case InfoType.description:
      if (target.descriptionBytes.length === 0) return null;
      return encodeTextInfo(InfoType.description, target.descriptionBytes);
    case InfoType.blockSize:
      return encodeBlockSizeInfo(target.blockSizes);
    default:
      return null;
  }
}
