import {
  Command,
  OPTION_REPLY_MAGIC,
  OptionReply,
  OptionType,
  STRING_LENGTH_MAX,
} from "../../protocol/numbers.ts";
import type { Bench } from "../bench.ts";
import type { Check } from "../check.ts";
import {
  demandAck,
  demandError,
  demandInStep,
  encodeInfo,
  encodeOption,
  encodeQueries,
  replyText,
} from "../haggling.ts";
import { demand, demandEqual } from "../violation.ts";
import { isText } from "../text.ts";

/** No option has this number. */
const UNKNOWN_OPTION = 0x6e6f_7065;
const UNSUPPORTED =
  "Servers that receive messages which they do not implement MUST reply to them with `NBD_REP_ERR_UNSUP`, and MUST NOT fail to parse the next message received.";

/** Sends an option nobody knows, and demands that the one after it is understood. */
async function skipUnknown(bench: Bench, dataLength: number, errors: readonly number[]): Promise<void> {
  const haggling = await bench.haggle();
  // Whoever takes it for options answers one that was never sent.
  const data = Buffer.alloc(dataLength, encodeOption(OptionType.structuredReply));
  demandError(await haggling.ask(UNKNOWN_OPTION, data), bench.orTls(errors), "an option that does not exist");
  await demandInStep(haggling, `after an unknown option with ${dataLength} bytes`);
}

/** Options in general. */
export const optionChecks: readonly Check[] = [
  {
    name: "options/unknown-option-unsup",
    level: "must",
    section: "Baseline",
    sentence: UNSUPPORTED,
    needs: [],
    run: (bench) => skipUnknown(bench, 0, [OptionReply.errorUnsupported]),
  },
  {
    name: "options/unknown-option-data-skipped",
    level: "must",
    section: "Newstyle negotiation",
    sentence:
      "The presence of the option length in every option allows the server to skip any options presented by the client that it does not understand.",
    needs: [],
    run: (bench) => skipUnknown(bench, 100, [OptionReply.errorUnsupported]),
  },
  {
    name: "options/long-unknown-option-skipped",
    level: "must",
    section: "Baseline",
    sentence: UNSUPPORTED,
    needs: [],
    run: (bench) => skipUnknown(bench, 4000, [OptionReply.errorUnsupported]),
  },
  {
    name: "options/unknown-option-of-60-KiB-skipped",
    level: "should",
    section: "Baseline",
    sentence: UNSUPPORTED,
    needs: [],
    run: (bench) =>
      skipUnknown(bench, 61_440, [
        OptionReply.errorUnsupported,
        OptionReply.errorTooBig,
        OptionReply.errorInvalid,
      ]),
  },
  {
    name: "options/withdrawn-peek-export-errors",
    level: "must",
    section: "Option types",
    sentence:
      "`NBD_OPT_PEEK_EXPORT` (4) Was defined by the (withdrawn) experimental `PEEK_EXPORT` extension; not in use.",
    needs: [],
    async run(bench) {
      const haggling = await bench.haggle();
      const answer = await haggling.ask(4, Buffer.from(bench.exportName));
      demandError(answer, bench.orTls([OptionReply.errorUnsupported]), "PEEK_EXPORT");
    },
  },
  {
    name: "options/reply-repeats-option",
    level: "must",
    section: "Fixed newstyle negotiation",
    sentence: "S: 32 bits, the option as sent by the client to which this is a reply",
    needs: [],
    async run(bench) {
      const haggling = await bench.haggle();
      for (const option of [UNKNOWN_OPTION, 0xffff_fffe, OptionType.structuredReply, OptionType.list]) {
        haggling.send(option);
        demandEqual(
          (await haggling.receive(option)).option,
          option,
          "the option that a reply says it answers",
        );
      }
    },
  },
  {
    name: "options/reply-magic",
    level: "must",
    section: "Fixed newstyle negotiation",
    sentence: "S: 64 bits, `0x3e889045565a9` (magic number for replies)",
    needs: [],
    async run(bench) {
      const haggling = await bench.haggle();
      haggling.send(UNKNOWN_OPTION);
      const head = await haggling.wire.take(20, "an answer to an unknown option");
      demandEqual(head.readUInt32BE(0), OPTION_REPLY_MAGIC.high, "the first half of the magic number");
      demandEqual(head.readUInt32BE(4), OPTION_REPLY_MAGIC.low, "the second half of the magic number");
    },
  },
  {
    name: "options/error-replies-have-bit-31",
    level: "must",
    section: "Option reply types",
    sentence: "There are a number of error reply types, all of which are denoted by having bit 31 set.",
    needs: [],
    async run(bench) {
      const haggling = await bench.haggle();
      haggling.send(UNKNOWN_OPTION);
      const { type } = await haggling.receive(UNKNOWN_OPTION);
      demand(type >= 0x8000_0000, `an option that does not exist was answered with the reply type ${type}`);
    },
  },
  {
    name: "options/error-text-is-a-string",
    level: "must",
    section: "Option reply types",
    sentence:
      "All error replies MAY have some data set, in which case that data is an error message string suitable for display to the user.",
    needs: [],
    async run(bench) {
      const haggling = await bench.haggle();
      for (const [option, data] of [
        [UNKNOWN_OPTION, Buffer.alloc(3)],
        [OptionType.list, Buffer.alloc(3)],
        [OptionType.info, encodeInfo("no such export ä€")],
      ] as const) {
        const answer = await haggling.ask(option, data);
        if (answer.isAck) continue;
        const text = answer.final.data;
        demand(isText(text), `an error's text is not UTF-8, or has a NUL in it: ${text.toString("hex")}`);
        demand(text.length <= STRING_LENGTH_MAX, `an error's text has ${text.length} bytes`);
      }
    },
  },
  {
    name: "options/ack-has-no-data",
    level: "must",
    section: "Option reply types",
    sentence: "`NBD_REP_ACK` (1) Will be sent by the server when it accepts the option … No data.",
    needs: [],
    async run(bench) {
      const haggling = await bench.haggle();
      for (const option of [OptionType.list, OptionType.structuredReply]) {
        const { isAck, final } = await haggling.ask(option);
        demand(!isAck || final.data.length === 0, `an ack has ${final.data.length} bytes of data`);
      }
    },
  },
  {
    name: "options/bad-option-magic-not-obeyed",
    level: "should",
    section: "Termination of the session during option haggling",
    sentence:
      "If either the client or the server detects a violation of a mandatory condition ('MUST' etc.) by the other party, it MAY initiate a hard disconnect.",
    needs: [],
    async run(bench) {
      const { wire } = await bench.haggle();
      const bytes = encodeOption(OptionType.list);
      bytes[0] = 0x58;
      wire.send(bytes, "option list with a wrong magic number");
      const head = await wire.takeUnlessEnded(20, "an answer");
      if (head === null) return;
      const type = head.readUInt32BE(12);
      demand(type >= 0x8000_0000, `an option with a wrong magic number was answered with ${type}`);
    },
  },
  {
    name: "options/abort-acked",
    level: "must",
    section: "Option types",
    sentence:
      "The client desires to abort the negotiation and terminate the session. The server MUST reply with `NBD_REP_ACK`.",
    needs: [],
    async run(bench) {
      const haggling = await bench.haggle();
      demandAck(await haggling.ask(OptionType.abort), "ABORT");
    },
  },
  {
    name: "options/abort-with-data-acked",
    level: "should",
    section: "Option types",
    sentence:
      "a server SHOULD ignore any data sent by the client rather than rejecting the request as invalid.",
    needs: [],
    async run(bench) {
      const haggling = await bench.haggle();
      demandAck(await haggling.ask(OptionType.abort, Buffer.from("bye")), "ABORT with three bytes of data");
    },
  },
  {
    name: "options/abort-after-other-options-acked",
    level: "must",
    section: "Option types",
    sentence: "The server MUST reply with `NBD_REP_ACK`.",
    needs: ["export"],
    async run(bench) {
      const haggling = await bench.haggle();
      await haggling.ask(OptionType.structuredReply);
      await haggling.ask(OptionType.info, encodeInfo(bench.exportName));
      demandAck(await haggling.ask(OptionType.abort), "ABORT after other options");
    },
  },
  {
    name: "options/abort-without-reading",
    level: "should",
    section: "Option types",
    sentence:
      "Similarly the server SHOULD gracefully handle the client sending an `NBD_OPT_ABORT` and closing the connection without waiting for a reply.",
    needs: [],
    async run(bench) {
      for (let times = 0; times < 3; times++) {
        const haggling = await bench.haggle();
        haggling.send(OptionType.abort);
        haggling.wire.end();
        haggling.wire.destroy();
      }
      await demandInStep(await bench.haggle(), "on the next connection");
    },
  },
  {
    name: "options/option-in-pieces",
    level: "must",
    section: "Newstyle negotiation",
    sentence: "The generic format of setting an option is as follows",
    needs: ["export"],
    async run(bench) {
      const haggling = await bench.haggle();
      const data = encodeInfo(bench.exportName);
      await haggling.wire.sendPieces(encodeOption(OptionType.info, data), 1, "option info");
      demandAck(await haggling.receiveAll(OptionType.info), "INFO in pieces of one byte");
    },
  },
  {
    name: "options/twenty-options",
    level: "must",
    section: "Fixed newstyle negotiation",
    sentence:
      "The client MAY now send other options to the server as appropriate, in the generic format for sending an option as described above.",
    needs: ["export"],
    async run(bench) {
      const haggling = await bench.haggle();
      for (let times = 0; times < 20; times++)
        demandAck(
          await haggling.ask(OptionType.info, encodeInfo(bench.exportName)),
          `INFO for the ${times + 1}th time`,
        );
      await demandInStep(haggling, "after twenty options");
    },
  },
  {
    name: "options/state-is-of-one-connection",
    level: "must",
    section: "Structured reply chunk message",
    sentence:
      "The server MUST NOT send this reply type unless the client has successfully negotiated structured replies via `NBD_OPT_STRUCTURED_REPLY`.",
    needs: ["export", "structured", "twoConnections"],
    async run(bench) {
      const other = await bench.haggle();
      demandAck(await other.ask(OptionType.structuredReply), "STRUCTURED_REPLY");
      const session = await bench.enter();
      const reply = await session.ask({
        command: Command.read,
        offset: 0,
        length: Math.min(bench.unit, bench.size),
      });
      demand(reply.simpleError !== null, "a reply is structured that this client did not ask for");
    },
  },
  {
    name: "options/impatient-client-harms-itself-alone",
    level: "should",
    section: "Fixed newstyle negotiation",
    sentence:
      "The client MUST NOT send any option until it has received a final reply to any option it has sent",
    needs: ["export"],
    async run(bench) {
      const { wire } = await bench.haggle();
      const info = encodeOption(OptionType.info, encodeInfo(bench.exportName));
      wire.send(Buffer.concat([info, info, encodeOption(OptionType.abort)]), "INFO, INFO and ABORT at once");
      await wire.takeUnlessEnded(20, "an answer");
      wire.destroy();
      await demandInStep(await bench.haggle(), "on the next connection");
    },
  },
  {
    name: "options/four-GiB-option-harms-nobody",
    level: "should",
    section: "Termination of the session during option haggling",
    sentence:
      "if a server believes a client's behaviour constitutes a denial of service, it MAY initiate a hard disconnect",
    needs: [],
    async run(bench) {
      const { wire } = await bench.haggle();
      wire.send(encodeOption(OptionType.info, Buffer.alloc(64), 0xffff_ffff), "an option of 4 GiB");
      wire.destroy();
      await demandInStep(await bench.haggle(), "on the next connection");
    },
  },
  {
    name: "options/truncated-option-harms-nobody",
    level: "should",
    section: "Termination of the session during option haggling",
    sentence:
      "The client or the server can disconnect the TCP session without activity at the NBD protocol level.",
    needs: ["export"],
    async run(bench) {
      const bytes = encodeOption(
        OptionType.setMetaContext,
        encodeQueries(bench.exportName, ["base:allocation"]),
      );
      for (const length of [7, 16, 22, bytes.length - 1]) {
        const { wire } = await bench.haggle();
        wire.send(bytes.subarray(0, length), "a part of an option");
        wire.destroy();
      }
      const answer = await (await bench.haggle()).ask(OptionType.info, encodeInfo(bench.exportName));
      demand(answer.isAck, `INFO on the next connection was answered with ${replyText(answer.final)}`);
    },
  },
];
