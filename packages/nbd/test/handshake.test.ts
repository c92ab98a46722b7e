import { Buffer } from "node:buffer";
import { beforeEach, describe, expect, test } from "vitest";
import { Export } from "../src/server/exports/export.ts";
import {
  ClientFlag,
  Command,
  HeaderStyle,
  InfoType,
  OptionReply,
  OptionType,
  TransmissionFlag,
} from "../src/protocol/numbers.ts";
import {
  clientFlags,
  go,
  infoData,
  option,
  parseOptionAnswers,
  parseReplies,
  request,
} from "./support/messages.ts";
import type { FakeClient } from "./support/fake-client.ts";
import { STACK_SIZE, makeStack, pattern } from "./support/stack.ts";
import type { Stack } from "./support/stack.ts";

let stack: Stack;
let client: FakeClient;

beforeEach(async () => {
  stack = await makeStack();
  client = stack.connect();
});

/** Sends an option and returns the answers to it. */
function ask(type: number, data?: Uint8Array): { reply: number; data: Buffer }[] {
  client.send(option(type, data));
  return parseOptionAnswers(client.received()).map((answer) => {
    expect(answer.option).toBe(type);
    return { reply: answer.reply, data: answer.data };
  });
}

const replyTypes = (answers: { reply: number }[]): number[] => answers.map(({ reply }) => reply);

describe("the greeting", () => {
  test("is NBDMAGIC, IHAVEOPT, and the flags for fixed newstyle and no zeroes", () => {
    const greeting = client.received();
    expect(greeting.toString("latin1", 0, 16)).toBe("NBDMAGICIHAVEOPT");
    expect(greeting.readUInt16BE(16)).toBe(3);
    expect(greeting).toHaveLength(18);
  });

  test.for([4, 8, 0x8000_0000, 0xffff_ffff])("unknown client flags (%s) end the connection", (flags) => {
    client.send(clientFlags(flags));
    expect(client.transport.isDestroyed).toBe(true);
    expect(client.errorCode).toBe("CEV_PROTOCOL");
  });

  test("a client that says nothing is cut off when its time is over, and not before", async () => {
    const slow = stack.connect({ handshakeTimeoutMs: 5000 });
    stack.world.environment.clock.after(4999, () => expect(slow.transport.isDestroyed).toBe(false));
    await stack.world.run();
    expect(slow.transport.isDestroyed).toBe(true);
    expect(slow.errorCode).toBe("CEV_TIMED_OUT");
  });

  test("a client that has chosen an export has all the time it wants", async () => {
    client.enter();
    await stack.world.run();
    expect(client.transport.isDestroyed).toBe(false);
  });
});

describe("export name", () => {
  test.for([
    { flags: ClientFlag.fixedNewstyle | ClientFlag.noZeroes, length: 10 },
    { flags: ClientFlag.fixedNewstyle, length: 134 },
    { flags: 0, length: 134 },
  ])("with client flags $flags is answered by $length bytes", ({ flags, length }) => {
    client.received();
    client.send(clientFlags(flags), option(OptionType.exportName, Buffer.from("disk")));
    const answer = client.received();
    expect(answer).toHaveLength(length);
    expect(Number(answer.readBigUInt64BE())).toBe(STACK_SIZE);
    expect(answer.readUInt16BE(8) & TransmissionFlag.hasFlags).toBe(1);
    expect(answer.readUInt16BE(8) & TransmissionFlag.sendDf).toBe(0);
    expect(answer.subarray(10).every((byte) => byte === 0)).toBe(true);
    client.request({ command: Command.read, cookie: 7, length: 512 });
    const [reply] = client.replies(() => 512);
    expect(reply!.data).toEqual(Buffer.from(pattern(512)));
  });

  test.for(["missing", "\0", "x".repeat(5000), "x".repeat(20_000)])(
    "of an export that is not there ends the connection",
    (name) => {
      client.send(clientFlags(), option(OptionType.exportName, Buffer.from(name)));
      expect(client.transport.isDestroyed).toBe(true);
    },
  );

  test("of no length chooses the default export", () => {
    client.received();
    client.send(clientFlags(), option(OptionType.exportName));
    expect(client.received()).toHaveLength(10);
  });
});

describe("options", () => {
  beforeEach(() => {
    client.send(clientFlags());
    client.received();
  });

  test("list names every export with its description", () => {
    const answers = ask(OptionType.list);
    expect(replyTypes(answers)).toEqual([OptionReply.server, OptionReply.server, OptionReply.ack]);
    const texts = answers.slice(0, 2).map(({ data }) => {
      const nameLength = data.readUInt32BE();
      return [data.toString("utf8", 4, 4 + nameLength), data.toString("utf8", 4 + nameLength)];
    });
    expect(texts).toEqual([
      ["disk", "a disk"],
      ["frozen", ""],
    ]);
  });

  test("list with data, structured replies with data: invalid", () => {
    expect(replyTypes(ask(OptionType.list, Buffer.from("x")))).toEqual([OptionReply.errorInvalid]);
    expect(replyTypes(ask(OptionType.structuredReply, Buffer.from("x")))).toEqual([OptionReply.errorInvalid]);
  });

  test.for([OptionType.startTls, 4, 0, 12, 99, 0xffff_ffff])(
    "option %s is unsupported, with and without data, and the next one is understood",
    (type) => {
      expect(replyTypes(ask(type))).toEqual([OptionReply.errorUnsupported]);
      expect(replyTypes(ask(type, Buffer.alloc(1000)))).toEqual([OptionReply.errorUnsupported]);
      expect(replyTypes(ask(type, Buffer.alloc(100_000)))).toEqual([OptionReply.errorUnsupported]);
      expect(replyTypes(ask(OptionType.list)).at(-1)).toBe(OptionReply.ack);
    },
  );

  test.for([OptionType.list, OptionType.info, OptionType.go, OptionType.structuredReply])(
    "more data than option %s can have is skipped, and called too big",
    (type) => {
      expect(replyTypes(ask(type, Buffer.alloc(1_000_000)))).toEqual([OptionReply.errorTooBig]);
      expect(replyTypes(ask(OptionType.list)).at(-1)).toBe(OptionReply.ack);
    },
  );

  test("abort is acknowledged, whatever data it brings, and the connection ends", () => {
    expect(replyTypes(ask(OptionType.abort, Buffer.alloc(20_000)))).toEqual([OptionReply.ack]);
    expect(client.transport.isEnded).toBe(true);
    client.send(option(OptionType.list));
    expect(client.received()).toHaveLength(0);
  });

  test("info tells size and flags, and what else was asked, each once", () => {
    const types = [InfoType.blockSize, InfoType.name, InfoType.description, InfoType.name, 77];
    const answers = ask(OptionType.info, infoData("disk", types));
    expect(replyTypes(answers)).toEqual([3, 3, 3, 3, 1]);
    const [about, sizes, name, description] = answers.map(({ data }) => data);
    expect(about!.readUInt16BE()).toBe(InfoType.export);
    expect(Number(about!.readBigUInt64BE(2))).toBe(STACK_SIZE);
    expect(about).toHaveLength(12);
    expect([2, 6, 10].map((at) => sizes!.readUInt32BE(at))).toEqual([1, 4096, 33_554_432]);
    expect(name!.toString("utf8", 2)).toBe("disk");
    expect(description!.toString("utf8", 2)).toBe("a disk");
  });

  test("info leaves the client where it was, go does not", () => {
    expect(replyTypes(ask(OptionType.info, infoData("disk")))).toEqual([OptionReply.info, OptionReply.ack]);
    expect(replyTypes(ask(OptionType.go, infoData("disk")))).toEqual([OptionReply.info, OptionReply.ack]);
    client.request({ command: Command.read, length: 8 });
    expect(client.replies(() => 8)[0]!.data).toEqual(Buffer.from(pattern(8)));
  });

  test("info of an unknown export is unknown, and a later go succeeds", () => {
    expect(replyTypes(ask(OptionType.info, infoData("missing")))).toEqual([OptionReply.errorUnknown]);
    expect(replyTypes(ask(OptionType.go, infoData("missing")))).toEqual([OptionReply.errorUnknown]);
    expect(replyTypes(ask(OptionType.go, infoData("frozen"))).at(-1)).toBe(OptionReply.ack);
    expect(client.connection.target!.name).toBe("frozen");
  });

  test.for([
    ["nothing", Buffer.alloc(0)],
    ["five bytes", Buffer.alloc(5)],
    ["a name longer than the data", Buffer.from([0, 0, 0, 9, 97, 0, 0])],
    ["a huge name length", Buffer.from([0xff, 0xff, 0xff, 0xff, 97, 0, 0])],
    ["fewer types than said", Buffer.from([0, 0, 0, 0, 0, 2, 0, 1])],
    ["more types than said", Buffer.from([0, 0, 0, 0, 0, 0, 0, 1])],
    ["a name that is not UTF-8", Buffer.from([0, 0, 0, 1, 0xff, 0, 0])],
    ["a name with a zero", Buffer.from([0, 0, 0, 1, 0, 0, 0])],
    ["a name above 4096 bytes", infoData("x".repeat(4097))],
  ] as const)("go with %s is invalid", ([, data]) => {
    expect(replyTypes(ask(OptionType.go, data))).toEqual([OptionReply.errorInvalid]);
    expect(replyTypes(ask(OptionType.list)).at(-1)).toBe(OptionReply.ack);
  });

  test("fragments can be ruled out only where replies are structured", () => {
    const flags = (): number => ask(OptionType.info, infoData("disk"))[0]!.data.readUInt16BE(10);
    expect(flags() & TransmissionFlag.sendDf).toBe(0);
    ask(OptionType.structuredReply);
    expect(flags() & TransmissionFlag.sendDf).not.toBe(0);
  });

  test("an option without its magic number ends the connection", () => {
    client.send(Buffer.alloc(16, 1));
    expect(client.transport.isDestroyed).toBe(true);
  });

  test("options that come byte by byte are understood, and so are many in one piece", () => {
    for (const byte of option(OptionType.list)) client.send(Buffer.from([byte]));
    expect(parseOptionAnswers(client.received())).toHaveLength(3);
    client.send(Buffer.concat([option(OptionType.list), option(99), option(OptionType.list)]));
    expect(parseOptionAnswers(client.received())).toHaveLength(7);
  });

  test("requests that come along with go are not lost", () => {
    client.send(Buffer.concat([go("disk"), request({ command: Command.read, cookie: 3, length: 4 })]));
    const bytes = client.received();
    expect(parseReplies(bytes.subarray(bytes.length - 20), () => 4)[0]!.cookie).toBe(3);
  });

  test("whoever does not read the answers is not listened to", () => {
    client = stack.connect({ optionsMax: 20_000 });
    client.send(clientFlags());
    client.received();
    client.transport.isReader = false;
    const many = Buffer.concat(Array.from({ length: 20_000 }, () => option(OptionType.list)));
    for (let at = 0; at < many.length; at += 10_000) client.send(many.subarray(at, at + 10_000));
    expect(client.transport.isReading).toBe(false);
    expect(client.transport.unreadLength).toBeGreaterThan(many.length - 40_000);
    client.transport.isReader = true;
    while (client.transport.drainOnce());
    expect(client.transport.unreadLength).toBe(0);
    expect(parseOptionAnswers(client.received())).toHaveLength(60_000);
  });

  test("while the server drains, the connection ends", () => {
    client.connection.drain();
    expect(client.transport.isEnded).toBe(true);
  });
});

test("without a default export the empty name is unknown", () => {
  const other = stack.connect({ defaultExport: null });
  other.send(clientFlags());
  other.received();
  other.send(go(""));
  expect(replyTypes(parseOptionAnswers(other.received()))).toEqual([OptionReply.errorUnknown]);
});

test("the default export can be named", () => {
  const other = stack.connect({ defaultExport: "frozen" });
  other.enter("");
  expect(other.connection.target!.name).toBe("frozen");
});

test("transmission flags follow from what the device supports", async () => {
  const plain = await makeStack({ support: { discard: "none", fua: "none", flush: "none" } });
  const flags = new Export({ name: "x", device: plain.device }).flags(HeaderStyle.simple, false);
  expect(flags & (TransmissionFlag.sendTrim | TransmissionFlag.sendFua | TransmissionFlag.sendFlush)).toBe(0);
  expect(flags & TransmissionFlag.sendWriteZeroes).not.toBe(0);
  const readOnly = new Export({ name: "x", device: plain.device, isReadOnly: true }).flags(
    HeaderStyle.simple,
    false,
  );
  expect(readOnly & TransmissionFlag.readOnly).not.toBe(0);
  expect(readOnly & (TransmissionFlag.sendWriteZeroes | TransmissionFlag.sendFastZero)).toBe(0);
});
