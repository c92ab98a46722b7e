import type { ExportList } from "../exports/export-list.ts";
import type { Export } from "../exports/export.ts";
import { encodeExportNameReply, encodeGreeting } from "../../protocol/greeting.ts";
import {
  CLIENT_FLAGS_LENGTH,
  ClientFlag,
  HeaderStyle,
  InfoType,
  OPTION_HEADER_LENGTH,
  OptionReply,
  OptionType,
} from "../../protocol/numbers.ts";
import { decodeInfoRequest } from "../../protocol/option-info.ts";
import { decodeMetaRequest, encodeMetaContext } from "../../protocol/option-meta.ts";
import { decodeOptionHead, encodeOptionReply, encodeServerData } from "../../protocol/option.ts";
import { decodeString } from "../../protocol/strings.ts";
import { PLAIN } from "../../tls/security.ts";
import type { Security } from "../../tls/security.ts";
import type { ReceiveBuffer } from "../../memory/receive-buffer.ts";
import type { ReplyWriter } from "../transmission/reply-writer.ts";
import { choose, flagsOf } from "./choice.ts";
import type { HandshakeResult } from "./choice.ts";
import { infosOf } from "./info-option.ts";
import { Negotiation } from "./negotiation.ts";
import type { HandshakeSettings } from "./negotiation.ts";
import { isKnownOption, optionDataLengthMax, sentenceOf } from "./option-terms.ts";
import type { OptionRefusal } from "./option-terms.ts";

const NO_DATA = new Uint8Array(0);
// Of data that nobody keeps.
const SKIP_LENGTH_MAX = 67_108_864;
const OPTIONS_PER_EXPORT = 8;
const CONTEXTS_MAX = 64;

/** The first phase of a connection: greets, answers options, until the client has chosen an export. */
export class Handshake {
  /** Null while it goes on. */
  result: HandshakeResult | null = null;
  /** From now on every option but a goodbye is refused. */
  isShuttingDown = false;
  readonly #exports: ExportList;
  readonly #writer: ReplyWriter;
  readonly #settings: HandshakeSettings;
  // Null until the client has sent its flags.
  #negotiation: Negotiation | null;
  #optionsLeft: number;
  // Of an option whose data is too long to be kept.
  #skipLength = 0;
  #skippedOption = 0;

  constructor(
    exports: ExportList,
    writer: ReplyWriter,
    settings: HandshakeSettings,
    negotiation: Negotiation | null = null,
  ) {
    this.#exports = exports;
    this.#writer = writer;
    this.#settings = settings;
    this.#negotiation = negotiation;
    this.#optionsLeft = settings.optionsMax + OPTIONS_PER_EXPORT * exports.all.length;
  }

  /** The handshake that goes on when TLS is there. Precondition: this one ended with `startTls`. */
  afterTls(writer: ReplyWriter, security: Security): Handshake {
    const { terms } = this.#negotiation!;
    const next = new Handshake(this.#exports, writer, this.#settings, new Negotiation(terms, security));
    next.isShuttingDown = this.isShuttingDown;
    next.#optionsLeft = this.#optionsLeft;
    return next;
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
    const negotiation = this.#negotiation;
    if (negotiation === null) return this.#takeClientFlags(receive);
    if (this.#skipLength > 0) return this.#skip(receive, negotiation);
    if (receive.available < OPTION_HEADER_LENGTH) return OPTION_HEADER_LENGTH;
    const head = decodeOptionHead(receive.memory.view, receive.start);
    if (head === null) return this.#refuse("an option does not start with its magic number");
    const { option, dataLength } = head;
    if (dataLength > Math.min(optionDataLengthMax(option), receive.modestCapacity - OPTION_HEADER_LENGTH))
      return this.#beginSkip(receive, option, dataLength);
    const messageLength = OPTION_HEADER_LENGTH + dataLength;
    if (receive.available < messageLength) return messageLength;
    if (this.#optionsLeft-- <= 0) return this.#refuse("the client sends options without end");
    const dataAt = receive.start + OPTION_HEADER_LENGTH;
    const data = receive.memory.bytes.subarray(dataAt, dataAt + dataLength);
    receive.start += messageLength;
    if (this.#mayAnswer(option, negotiation)) this.#answer(option, data, negotiation);
    // Somebody on the way could have put them there, for them to be believed as soon as TLS is on.
    if (this.result?.kind === "startTls" && receive.available > 0)
      return this.#refuse("bytes came in plain behind the wish to start TLS");
    return 0;
  }

  #takeClientFlags(receive: ReceiveBuffer): number {
    if (receive.available < CLIENT_FLAGS_LENGTH) return CLIENT_FLAGS_LENGTH;
    const flags = receive.memory.view.getUint32(receive.start);
    receive.start += CLIENT_FLAGS_LENGTH;
    const terms = {
      isFixedNewstyle: (flags & ClientFlag.fixedNewstyle) !== 0,
      wantsZeroes: (flags & ClientFlag.noZeroes) === 0,
    };
    this.#negotiation = new Negotiation(terms, PLAIN);
    const known = ClientFlag.fixedNewstyle | ClientFlag.noZeroes;
    return (flags & ~known) === 0 ? 0 : this.#refuse(`the client has flags that were not offered (${flags})`);
  }

  #beginSkip(receive: ReceiveBuffer, option: number, dataLength: number): number {
    if (option === OptionType.exportName) return this.#refuse("the name of an export is too long");
    if (dataLength > SKIP_LENGTH_MAX)
      return this.#refuse(`${dataLength} bytes of data were announced for an option`);
    if (this.#optionsLeft-- <= 0) return this.#refuse("the client sends options without end");
    receive.start += OPTION_HEADER_LENGTH;
    this.#skipLength = dataLength;
    this.#skippedOption = option;
    return 0;
  }

  #skip(receive: ReceiveBuffer, negotiation: Negotiation): number {
    const length = Math.min(this.#skipLength, receive.available);
    receive.start += length;
    this.#skipLength -= length;
    if (this.#skipLength > 0) return 1;
    const option = this.#skippedOption;
    if (!this.#mayAnswer(option, negotiation)) return 0;
    if (option === OptionType.abort) this.#answer(option, NO_DATA, negotiation);
    else if (!isKnownOption(option)) this.#deny(option, OptionReply.errorUnsupported);
    else if (option === OptionType.startTls) this.#deny(option, this.#tlsRefusal(negotiation, false)!);
    else this.#deny(option, OptionReply.errorTooBig);
    // It would have replaced what was selected, and failed.
    if (option === OptionType.setMetaContext) negotiation.selection = null;
    return 0;
  }

  /** Before an option's data is looked at: whether any option is answered now. If not, that has been said. */
  #mayAnswer(option: number, negotiation: Negotiation): boolean {
    if (option === OptionType.abort) return true;
    if (this.isShuttingDown) return this.#denyAll(option, OptionReply.errorShutdown);
    if (this.#settings.tls !== "required" || negotiation.isEncrypted || option === OptionType.startTls)
      return true;
    // Who does not know the fixed form cannot go over to TLS, and is not to be told of it.
    const { isFixedNewstyle } = negotiation.terms;
    return this.#denyAll(option, isFixedNewstyle ? OptionReply.errorTlsRequired : OptionReply.errorPolicy);
  }

  #denyAll(option: number, refusal: OptionRefusal): false {
    if (option === OptionType.exportName) this.#refuse(new TextDecoder().decode(sentenceOf(refusal)));
    else this.#deny(option, refusal);
    return false;
  }

  #answer(option: number, data: Uint8Array, negotiation: Negotiation): void {
    switch (option) {
      case OptionType.exportName:
        return this.#takeExportName(data, negotiation);
      case OptionType.abort:
        // Data that comes with it is ignored.
        this.#reply(option, OptionReply.ack);
        this.result = { kind: "aborted" };
        return;
      case OptionType.list:
        return this.#list(data, negotiation);
      case OptionType.startTls:
        return this.#startTls(data, negotiation);
      case OptionType.info:
      case OptionType.go:
        return this.#inform(option, data, negotiation);
      case OptionType.structuredReply:
      case OptionType.extendedHeaders:
        return this.#changeStyle(option, data, negotiation);
      case OptionType.listMetaContext:
        return this.#listContexts(data, negotiation);
      case OptionType.setMetaContext:
        return this.#selectContexts(data, negotiation);
      default:
        return this.#deny(option, OptionReply.errorUnsupported);
    }
  }

  #takeExportName(data: Uint8Array, negotiation: Negotiation): void {
    const name = decodeString(data);
    const target = name === null ? null : this.#find(name, negotiation);
    if (target === null) {
      this.#refuse(`there is no export ${JSON.stringify(name)}`);
    } else if (negotiation.style === HeaderStyle.extended) {
      this.#refuse("exportName came after extended headers were agreed on");
    } else {
      const choice = choose(target, negotiation);
      const { wantsZeroes } = negotiation.terms;
      this.#writer.put(encodeExportNameReply(target.device.size, flagsOf(choice), wantsZeroes));
      this.result = { kind: "transmission", ...choice };
    }
  }

  #list(data: Uint8Array, negotiation: Negotiation): void {
    if (data.length > 0) return this.#deny(OptionType.list, OptionReply.errorInvalid);
    for (const each of this.#exports.all) {
      if (each.isTlsOnly && !negotiation.isEncrypted) continue;
      const entry = encodeServerData(each.nameBytes, each.descriptionBytes);
      this.#reply(OptionType.list, OptionReply.server, entry);
    }
    this.#reply(OptionType.list, OptionReply.ack);
  }

  #startTls(data: Uint8Array, negotiation: Negotiation): void {
    const refusal = this.#tlsRefusal(negotiation, data.length === 0);
    if (refusal !== null) return this.#deny(OptionType.startTls, refusal);
    this.#reply(OptionType.startTls, OptionReply.ack);
    this.result = { kind: "startTls" };
  }

  #tlsRefusal(negotiation: Negotiation, isWellFormed: boolean): OptionRefusal | null {
    const { tls, canStartTls } = this.#settings;
    if (tls === "off") return OptionReply.errorUnsupported;
    if (negotiation.isEncrypted || !isWellFormed) return OptionReply.errorInvalid;
    if (!negotiation.terms.isFixedNewstyle) return OptionReply.errorPolicy;
    return canStartTls ? null : OptionReply.errorPlatform;
  }

  #inform(option: number, data: Uint8Array, negotiation: Negotiation): void {
    const request = decodeInfoRequest(data);
    if (request === null) return this.#deny(option, OptionReply.errorInvalid);
    const target = this.#find(request.name, negotiation);
    if (target === null) {
      const isHidden = this.#exports.find(request.name) !== null;
      return this.#deny(option, isHidden ? OptionReply.errorTlsRequired : OptionReply.errorUnknown);
    }
    if (request.infoTypes.includes(InfoType.blockSize)) negotiation.sizesToldOf = target;
    const choice = choose(target, negotiation);
    for (const info of infosOf(target, flagsOf(choice), request.infoTypes))
      this.#reply(option, OptionReply.info, info);
    this.#reply(option, OptionReply.ack);
    if (option === OptionType.go) this.result = { kind: "transmission", ...choice };
  }

  #changeStyle(option: number, data: Uint8Array, negotiation: Negotiation): void {
    if (data.length > 0) return this.#deny(option, OptionReply.errorInvalid);
    if (option === OptionType.extendedHeaders) negotiation.style = HeaderStyle.extended;
    else if (negotiation.style === HeaderStyle.extended)
      return this.#deny(option, OptionReply.errorExtendedHeadersRequired);
    else negotiation.style = HeaderStyle.structured;
    this.#reply(option, OptionReply.ack);
  }

  #listContexts(data: Uint8Array, negotiation: Negotiation): void {
    const option = OptionType.listMetaContext;
    const request = decodeMetaRequest(data);
    if (request === null) return this.#deny(option, OptionReply.errorInvalid);
    const target = this.#find(request.name, negotiation);
    if (target === null) return this.#deny(option, OptionReply.errorUnknown);
    for (const name of this.#settings.contexts.list(target, request.queries))
      this.#reply(option, OptionReply.metaContext, encodeMetaContext(0, name));
    this.#reply(option, OptionReply.ack);
  }

  #selectContexts(data: Uint8Array, negotiation: Negotiation): void {
    const option = OptionType.setMetaContext;
    // Whatever becomes of it, what was selected before is so no more.
    negotiation.selection = null;
    const request = decodeMetaRequest(data);
    if (request === null || negotiation.style === HeaderStyle.simple)
      return this.#deny(option, OptionReply.errorInvalid);
    const target = this.#find(request.name, negotiation);
    if (target === null) return this.#deny(option, OptionReply.errorUnknown);
    const contexts = this.#settings.contexts.select(target, request.queries);
    if (contexts.length > CONTEXTS_MAX) return this.#deny(option, OptionReply.errorTooBig);
    for (const { id, context } of contexts)
      this.#reply(option, OptionReply.metaContext, encodeMetaContext(id, context.name));
    this.#reply(option, OptionReply.ack);
    negotiation.selection = { target, contexts };
  }

  /** The export of a name, unless it is for TLS alone and this is none. */
  #find(name: string, negotiation: Negotiation): Export | null {
    const target = this.#exports.find(name);
    return target !== null && target.isTlsOnly && !negotiation.isEncrypted ? null : target;
  }

  #deny(option: number, refusal: OptionRefusal): void {
    this.#reply(option, refusal, sentenceOf(refusal));
  }

  #reply(option: number, reply: OptionReply, data?: Uint8Array): void {
    this.#writer.put(encodeOptionReply(option, reply, data));
  }

  #refuse(message: string): number {
    this.result = { kind: "refused", message };
    return 0;
  }
}
