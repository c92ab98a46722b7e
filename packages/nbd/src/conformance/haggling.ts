import {
  CLIENT_FLAGS_LENGTH,
  GREETING_LENGTH,
  HandshakeFlag,
  InfoType,
  INIT_MAGIC,
  OPTION_HEADER_LENGTH,
  OPTION_MAGIC,
  OPTION_REPLY_HEADER_LENGTH,
  OPTION_REPLY_MAGIC,
  OptionReply,
  OptionType,
} from "../protocol/numbers.ts";
import { demand, demandEqual } from "./violation.ts";
import type { Wire } from "./wire.ts";

/** One reply to an option. */
export interface OptionMessage {
  readonly option: number;
  readonly type: number;
  readonly data: Buffer;
}

/** All replies to an option, the last of them apart. */
export interface OptionAnswer {
  readonly replies: readonly OptionMessage[];
  readonly final: OptionMessage;
  readonly isAck: boolean;
}

/** Longest answer to an option that is read. */
const REPLY_LENGTH_MAX = 1_048_576;
/** Most replies to one option. */
const REPLIES_MAX = 20_000;

/** The handshake of one connection, from the client's side. */
export class Haggling {
  readonly wire: Wire;
  readonly handshakeFlags: number;
  readonly clientFlags: number;

  private constructor(wire: Wire, handshakeFlags: number, clientFlags: number) {
    this.wire = wire;
    this.handshakeFlags = handshakeFlags;
    this.clientFlags = clientFlags;
  }

  /** Reads the greeting and answers it: by default with whatever of fixed newstyle and no zeroes the server offers. */
  static async start(wire: Wire, clientFlags: number | null = null): Promise<Haggling> {
    const handshakeFlags = await readGreeting(wire);
    const flags = clientFlags ?? handshakeFlags & (HandshakeFlag.fixedNewstyle | HandshakeFlag.noZeroes);
    wire.send(encodeClientFlags(flags), `client flags ${flags}`);
    return new Haggling(wire, handshakeFlags, flags);
  }

  send(option: number, data: Uint8Array = Buffer.alloc(0)): void {
    this.wire.send(encodeOption(option, data), optionName(option));
  }

  /** One reply, whichever. */
  async receive(option: number): Promise<OptionMessage> {
    const what = `an answer to ${optionName(option)}`;
    return this.#decode(await this.wire.take(OPTION_REPLY_HEADER_LENGTH, what), what);
  }

  /** All replies to one option. */
  async receiveAll(option: number): Promise<OptionAnswer> {
    const replies: OptionMessage[] = [];
    for (;;) {
      const message = await this.receive(option);
      demandEqual(message.option, option, "the option that a reply says it answers");
      if (message.type === OptionReply.ack || message.type >= 0x80000000)
        return { replies, final: message, isAck: message.type === OptionReply.ack };
      replies.push(message);
      demand(replies.length < REPLIES_MAX, `more than ${REPLIES_MAX} replies to one option`);
    }
  }

  ask(option: number, data: Uint8Array = Buffer.alloc(0)): Promise<OptionAnswer> {
    this.send(option, data);
    return this.receiveAll(option);
  }

  /** The answer, or null where the server closes the connection instead: it may, where the client broke a rule. */
  async askUnlessEnded(option: number, data: Uint8Array): Promise<OptionAnswer | null> {
    this.send(option, data);
    const what = `an answer to ${optionName(option)}`;
    const head = await this.wire.takeUnlessEnded(OPTION_REPLY_HEADER_LENGTH, what);
    if (head === null) return null;
    const message = await this.#decode(head, what);
    if (message.type === OptionReply.ack || message.type >= 0x80000000)
      return { replies: [], final: message, isAck: message.type === OptionReply.ack };
    const rest = await this.receiveAll(option);
    return { ...rest, replies: [message, ...rest.replies] };
  }

  async #decode(head: Buffer, what: string): Promise<OptionMessage> {
    demand(
      head.readUInt32BE(0) === OPTION_REPLY_MAGIC.high && head.readUInt32BE(4) === OPTION_REPLY_MAGIC.low,
      `a reply to an option begins with ${head.toString("hex", 0, 8)}, not with the magic number 0003e889045565a9`,
    );
    const length = head.readUInt32BE(16);
    demand(length <= REPLY_LENGTH_MAX, `a reply to an option says that it has ${length} bytes`);
    const data = length === 0 ? Buffer.alloc(0) : await this.wire.take(length, `the data of ${what}`);
    return { option: head.readUInt32BE(8), type: head.readUInt32BE(12), data };
  }
}

/** The flags of the first bytes of a server. */
export async function readGreeting(wire: Wire): Promise<number> {
  const greeting = await wire.take(GREETING_LENGTH, "the greeting");
  demand(
    greeting.readUInt32BE(0) === INIT_MAGIC.high && greeting.readUInt32BE(4) === INIT_MAGIC.low,
    `the server begins with ${greeting.toString("hex", 0, 8)}, not with NBDMAGIC`,
  );
  demand(
    greeting.readUInt32BE(8) !== 0x00420281 || greeting.readUInt32BE(12) !== 0x861253,
    "the server speaks the oldstyle handshake",
  );
  demand(
    greeting.readUInt32BE(8) === OPTION_MAGIC.high && greeting.readUInt32BE(12) === OPTION_MAGIC.low,
    `the second eight bytes are ${greeting.toString("hex", 8, 16)}, not IHAVEOPT`,
  );
  return greeting.readUInt16BE(16);
}

export function encodeClientFlags(flags: number): Buffer {
  const bytes = Buffer.alloc(CLIENT_FLAGS_LENGTH);
  bytes.writeUInt32BE(flags >>> 0);
  return bytes;
}

export function encodeOption(
  option: number,
  data: Uint8Array = Buffer.alloc(0),
  length: number = data.length,
): Buffer {
  const head = Buffer.alloc(OPTION_HEADER_LENGTH);
  head.writeUInt32BE(OPTION_MAGIC.high, 0);
  head.writeUInt32BE(OPTION_MAGIC.low, 4);
  head.writeUInt32BE(option, 8);
  head.writeUInt32BE(length, 12);
  return Buffer.concat([head, data]);
}

/** Data of INFO and GO; by default with a request for block sizes, which servers may insist on. The length of the name may lie. */
export function encodeInfo(
  name: string,
  items: readonly number[] = [InfoType.blockSize],
  nameLength: number = Buffer.byteLength(name),
): Buffer {
  const bytes = Buffer.from(name);
  const data = Buffer.alloc(4 + bytes.length + 2 + 2 * items.length);
  data.writeUInt32BE(nameLength, 0);
  bytes.copy(data, 4);
  data.writeUInt16BE(items.length, 4 + bytes.length);
  items.forEach((item, index) => data.writeUInt16BE(item, 4 + bytes.length + 2 + 2 * index));
  return data;
}

/** Data of LIST_META_CONTEXT and SET_META_CONTEXT. */
export function encodeQueries(name: string, queries: readonly string[]): Buffer {
  const texts = [name, ...queries].map((text) => {
    const bytes = Buffer.from(text);
    const head = Buffer.alloc(4);
    head.writeUInt32BE(bytes.length);
    return Buffer.concat([head, bytes]);
  });
  const count = Buffer.alloc(4);
  count.writeUInt32BE(queries.length);
  return Buffer.concat([texts[0]!, count, ...texts.slice(1)]);
}

const OPTION_NAMES = new Map<number, string>(
  Object.entries(OptionType).map(([name, value]) => [value, name]),
);
const REPLY_NAMES = new Map<number, string>([
  ...Object.entries(OptionReply).map(([name, value]): [number, string] => [value, name]),
]);

/** "option go (7)". */
export function optionName(option: number): string {
  return `option ${OPTION_NAMES.get(option) ?? "unknown"} (${option})`;
}

/** "errorInvalid: no such thing". */
export function replyText({ type, data }: OptionMessage): string {
  const name = REPLY_NAMES.get(type) ?? `reply type 0x${type.toString(16)}`;
  return type >= 0x80000000 && data.length > 0 ? `${name} (“${data.toString("utf8")}”)` : name;
}

/** Demands an error, of one of these types if any are named. */
export function demandError(answer: OptionAnswer, types: readonly number[], what: string): void {
  demand(!answer.isAck, `${what} was accepted`);
  if (types.length === 0 || types.includes(answer.final.type)) return;
  const wanted = types.map((type) => REPLY_NAMES.get(type) ?? type).join(" or ");
  demand(false, `${what} was answered with ${replyText(answer.final)}, where it has to be ${wanted}`);
}

/** Demands success. */
export function demandAck(answer: OptionAnswer, what: string): void {
  demand(answer.isAck, `${what} was answered with ${replyText(answer.final)}, where it has to be ack`);
}

/** No export has this name. */
export const NO_SUCH_NAME = "there-is-no-such-export-7f3a";

/** No option has this number. */
const PROBE = 0x7374_6570;

/** Demands that the server understands what comes next: an option that nobody knows has to be refused by its number. */
export async function demandInStep(haggling: Haggling, when: string): Promise<void> {
  haggling.send(PROBE);
  const { option, type } = await haggling.receive(PROBE);
  demand(
    option === PROBE && type >= 0x80000000,
    `the next option, ${when}, was answered with the reply type ${type} to the option ${option}`,
  );
}
