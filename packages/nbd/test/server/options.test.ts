import { Buffer } from "node:buffer";
import { beforeEach, describe, expect, test } from "vitest";
import { decodeInfo } from "../../src/protocol/option-info.ts";
import { decodeMetaContext, encodeMetaRequest } from "../../src/protocol/option-meta.ts";
import { ClientFlag, OptionReply, OptionType, TransmissionFlag } from "../../src/protocol/numbers.ts";
import { Export } from "../../src/server/exports/export.ts";
import { FakeClient } from "../support/fake-client.ts";
import type { FakeClientOptions } from "../support/fake-client.ts";
import { clientFlags, infoData, option, parseOptionAnswers } from "../support/messages.ts";
import { makeStack } from "../support/stack.ts";
import type { Stack } from "../support/stack.ts";

interface Answer {
  readonly reply: number;
  readonly data: Buffer;
}

let stack: Stack;
let client: FakeClient;

beforeEach(async () => {
  stack = await makeStack();
  client = greeted();
});

/** A client that has said hello. */
function greeted(
  options: FakeClientOptions = {},
  flags: number = ClientFlag.fixedNewstyle | ClientFlag.noZeroes,
): FakeClient {
  const hidden = new Export({ name: "hidden", device: stack.device, isTlsOnly: true });
  const made = new FakeClient(stack.world.environment, [...stack.exports, hidden], options);
  made.send(clientFlags(flags));
  made.received();
  return made;
}

function ask(type: number, data?: Uint8Array): Answer[] {
  client.send(option(type, data));
  return parseOptionAnswers(client.received()).map((answer) => {
    expect(answer.option).toBe(type);
    return answer;
  });
}

const types = (answers: readonly Answer[]): number[] => answers.map(({ reply }) => reply);
const askTypes = (type: number, data?: Uint8Array): number[] => types(ask(type, data));

/** Asks for contexts; returns the last answer, and those that were told before it. */
function askMeta(
  type: number,
  name: string,
  ...queries: string[]
): { last: number; ids: number[]; names: string[] } {
  const answers = ask(type, encodeMetaRequest({ name, queries }));
  const contexts = answers.slice(0, -1).map(({ data }) => decodeMetaContext(data)!);
  return {
    last: answers.at(-1)!.reply,
    ids: contexts.map(({ id }) => id),
    names: contexts.map((context) => context.name),
  };
}

function flagsOf(name: string): number {
  const info = decodeInfo(ask(OptionType.info, infoData(name))[0]!.data);
  return info?.kind === "export" ? info.flags : 0;
}

describe("refused options", () => {
  test("are told with a sentence for people", () => {
    const sentence = (type: number, data?: Uint8Array): string => ask(type, data)[0]!.data.toString();
    expect(sentence(99)).toBe("this option is not known here");
    expect(sentence(OptionType.go, infoData("nothing"))).toBe("there is no export of that name");
    expect(sentence(OptionType.list, Buffer.alloc(20_000))).toBe("the data of the option is too long");
  });

  test("without end close the connection", () => {
    client = greeted({ optionsMax: 10 });
    for (let count = 0; count < 10 + 8 * 3; count++)
      expect(askTypes(OptionType.structuredReply)).toEqual([OptionReply.ack]);
    client.send(option(OptionType.structuredReply));
    expect(client.errorCode).toBe("CEV_PROTOCOL");
  });

  test("that announce more than 64 MiB close the connection", () => {
    const head = option(99);
    head.writeUInt32BE(0xffff_ffff, 12);
    client.send(head);
    expect(client.errorCode).toBe("CEV_PROTOCOL");
  });
});

describe("extended headers", () => {
  test("are agreed on with or without structured replies, which come too late afterwards", () => {
    expect(askTypes(OptionType.structuredReply)).toEqual([OptionReply.ack]);
    expect(askTypes(OptionType.extendedHeaders)).toEqual([OptionReply.ack]);
    expect(askTypes(OptionType.extendedHeaders)).toEqual([OptionReply.ack]);
    expect(askTypes(OptionType.structuredReply)).toEqual([OptionReply.errorExtendedHeadersRequired]);
    expect(askTypes(OptionType.go, infoData("disk")).at(-1)).toBe(OptionReply.ack);
  });

  test("with data are invalid, and not agreed on", () => {
    expect(askTypes(OptionType.extendedHeaders, Buffer.alloc(1))).toEqual([OptionReply.errorInvalid]);
    expect(askTypes(OptionType.structuredReply)).toEqual([OptionReply.ack]);
  });

  test("rule out an export's name as the last option", () => {
    ask(OptionType.extendedHeaders);
    client.send(option(OptionType.exportName, Buffer.from("disk")));
    expect(client.errorCode).toBe("CEV_PROTOCOL");
    expect(client.received()).toHaveLength(0);
  });

  test("offer statuses of some contexts alone, if there are contexts at all", () => {
    expect(flagsOf("disk") & TransmissionFlag.blockStatusPayload).toBe(0);
    ask(OptionType.structuredReply);
    askMeta(OptionType.setMetaContext, "disk", "base:allocation");
    expect(flagsOf("disk") & TransmissionFlag.blockStatusPayload).toBe(0);
    ask(OptionType.extendedHeaders);
    expect(flagsOf("disk") & TransmissionFlag.blockStatusPayload).not.toBe(0);
    expect(flagsOf("frozen") & TransmissionFlag.blockStatusPayload).toBe(0);
    expect(flagsOf("disk") & TransmissionFlag.sendDf).not.toBe(0);
  });
});

describe("contexts", () => {
  const list = OptionType.listMetaContext;
  const set = OptionType.setMetaContext;

  test("are listed all, or by namespace, or by name", () => {
    const all = askMeta(list, "disk");
    expect(all).toMatchObject({ last: OptionReply.ack });
    expect(all.names.slice(0, 2)).toEqual(["base:allocation", "x-cev:holder"]);
    expect(all.ids.every((id) => id === 0)).toBe(true);
    expect(askMeta(list, "disk", "base:").names).toEqual(["base:allocation"]);
    expect(askMeta(list, "disk", "base:allocation", "base:").names).toEqual(["base:allocation"]);
    expect(askMeta(list, "", "base:").names).toEqual(["base:allocation"]);
  });

  test("that nobody knows are left out", () => {
    for (const query of ["base:else", "qemu:dirty-bitmap:x", "none", ""])
      expect(askMeta(list, "disk", query)).toEqual({ last: OptionReply.ack, ids: [], names: [] });
  });

  test("are selected by name alone, each once, with numbers of their own", () => {
    ask(OptionType.structuredReply);
    const { last, ids, names } = askMeta(
      set,
      "disk",
      "x-cev:holder",
      "base:allocation",
      "x-cev:holder",
      "a:b",
      "base:",
    );
    expect(last).toBe(OptionReply.ack);
    expect(names).toEqual(["x-cev:holder", "base:allocation"]);
    expect(new Set(ids).size).toBe(2);
    expect(askMeta(set, "disk")).toEqual({ last: OptionReply.ack, ids: [], names: [] });
  });

  test("cannot be selected before chunks are agreed on, nor of an export that is not there", () => {
    expect(askMeta(list, "disk").last).toBe(OptionReply.ack);
    expect(askMeta(set, "disk", "base:allocation").last).toBe(OptionReply.errorInvalid);
    ask(OptionType.structuredReply);
    expect(askMeta(set, "nothing", "base:allocation").last).toBe(OptionReply.errorUnknown);
    expect(askMeta(list, "nothing").last).toBe(OptionReply.errorUnknown);
  });

  test("asked for with data that is not well formed are refused, and so is too much of it", () => {
    ask(OptionType.structuredReply);
    const good = encodeMetaRequest({ name: "disk", queries: ["base:allocation"] });
    for (const data of [good.subarray(0, -1), Buffer.concat([good, Buffer.alloc(1)]), Buffer.alloc(3)]) {
      expect(askTypes(list, data)).toEqual([OptionReply.errorInvalid]);
      expect(askTypes(set, data)).toEqual([OptionReply.errorInvalid]);
    }
    expect(askTypes(set, Buffer.alloc(70_000))).toEqual([OptionReply.errorTooBig]);
    const long = Array.from({ length: 16 }, (_, index) => `a:${String(index).padStart(4094, "x")}`);
    expect(askMeta(set, "disk", ...long).last).toBe(OptionReply.ack);
  });

  test.for(["invalid", "too big", "of nothing"])(
    "selected before are so no more after a selection that is %s",
    (kind) => {
      ask(OptionType.extendedHeaders);
      askMeta(set, "disk", "base:allocation");
      expect(flagsOf("disk") & TransmissionFlag.blockStatusPayload).not.toBe(0);
      if (kind === "invalid") ask(set, Buffer.alloc(3));
      else if (kind === "too big") ask(set, Buffer.alloc(70_000));
      else askMeta(set, "disk");
      expect(flagsOf("disk") & TransmissionFlag.blockStatusPayload).toBe(0);
    },
  );

  test("selected for the default export by no name count for it by its own name, too", () => {
    ask(OptionType.extendedHeaders);
    askMeta(set, "", "base:allocation");
    expect(flagsOf("disk") & TransmissionFlag.blockStatusPayload).not.toBe(0);
  });
});

describe("TLS", () => {
  const required = { handshake: { tls: "required" } } as const;
  const optional = { handshake: { tls: "optional" } } as const;
  const start = OptionType.startTls;

  test("that is required: nothing but to start it, or to go", () => {
    client = greeted(required);
    for (const type of [OptionType.list, OptionType.structuredReply, 10, 99])
      expect(askTypes(type)).toEqual([OptionReply.errorTlsRequired]);
    expect(askTypes(OptionType.go, infoData("disk"))).toEqual([OptionReply.errorTlsRequired]);
    expect(askTypes(OptionType.go, infoData("nothing"))).toEqual([OptionReply.errorTlsRequired]);
    expect(askTypes(99, Buffer.alloc(100_000))).toEqual([OptionReply.errorTlsRequired]);
    expect(askTypes(start, Buffer.alloc(1))).toEqual([OptionReply.errorInvalid]);
    expect(askTypes(start, Buffer.alloc(100_000))).toEqual([OptionReply.errorInvalid]);
    expect(askTypes(OptionType.abort)).toEqual([OptionReply.ack]);
    expect(client.transport.isEnded).toBe(true);
  });

  test("that is required: an export's name closes the connection", () => {
    client = greeted(required);
    client.send(option(OptionType.exportName, Buffer.from("disk")));
    expect(client.errorCode).toBe("CEV_PROTOCOL");
    expect(client.received()).toHaveLength(0);
  });

  test("is not for clients that do not know the fixed form, which are not told to use it either", () => {
    client = greeted(required, 0);
    expect(askTypes(start)).toEqual([OptionReply.errorPolicy]);
    expect(askTypes(OptionType.list)).toEqual([OptionReply.errorPolicy]);
  });

  test("that is optional: exports that are for it alone are neither listed nor opened in plain", () => {
    client = greeted(optional);
    expect(types(ask(OptionType.list))).toEqual([OptionReply.server, OptionReply.server, OptionReply.ack]);
    expect(askTypes(OptionType.info, infoData("hidden"))).toEqual([OptionReply.errorTlsRequired]);
    expect(askTypes(OptionType.info, infoData("nothing"))).toEqual([OptionReply.errorUnknown]);
    expect(askMeta(OptionType.listMetaContext, "hidden").last).toBe(OptionReply.errorUnknown);
    client.send(option(OptionType.exportName, Buffer.from("hidden")));
    expect(client.errorCode).toBe("CEV_PROTOCOL");
  });

  test("cannot be started on every kind of connection", () => {
    client = greeted({ handshake: { tls: "optional", canStartTls: false } });
    expect(askTypes(start)).toEqual([OptionReply.errorPlatform]);
  });

  test("bytes in plain behind the wish to start it close the connection", () => {
    client = greeted(optional);
    client.send(Buffer.concat([option(start), option(OptionType.list)]));
    expect(client.errorCode).toBe("CEV_PROTOCOL");
  });
});
