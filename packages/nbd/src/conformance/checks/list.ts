import { OptionReply, OptionType, STRING_LENGTH_MAX } from "../../protocol/numbers.ts";
import type { Check } from "../check.ts";
import { demandAck, demandError, demandInStep, encodeInfo } from "../haggling.ts";
import type { OptionMessage } from "../haggling.ts";
import { isText } from "../text.ts";
import { demand, demandEqual, notApplicable } from "../violation.ts";

/** Listed exports that are looked at. */
const LOOKED_AT_MAX = 8;

/** Reads one listed export; its lengths have to fit. */
function decodeListed({ data }: OptionMessage): { readonly name: Buffer; readonly description: Buffer } {
  demand(data.length >= 4, `a listed export has ${data.length} bytes, too few for the length of its name`);
  const length = data.readUInt32BE(0);
  demand(
    length <= data.length - 4,
    `the name of a listed export is said to have ${length} bytes, and has to stand in ${data.length - 4}`,
  );
  return { name: data.subarray(4, 4 + length), description: data.subarray(4 + length) };
}

/** LIST. */
export const listChecks: readonly Check[] = [
  {
    name: "list/ends-with-ack-or-error",
    level: "must",
    section: "Option types",
    sentence:
      "Return zero or more `NBD_REP_SERVER` replies, one for each export, followed by `NBD_REP_ACK` or an error (such as `NBD_REP_ERR_SHUTDOWN`).",
    needs: [],
    async run(bench) {
      const { replies } = await (await bench.haggle()).ask(OptionType.list);
      for (const { type } of replies) demandEqual(type, OptionReply.server, "the type of a reply to LIST");
    },
  },
  {
    name: "list/implemented",
    level: "must",
    section: "Baseline",
    sentence:
      "The following MUST be implemented by all implementations … the `NBD_OPT_LIST` message and its response.",
    needs: ["plain"],
    async run(bench) {
      const answer = await (await bench.haggle()).ask(OptionType.list);
      demand(answer.final.type !== OptionReply.errorUnsupported, "LIST was answered with errorUnsupported");
    },
  },
  {
    name: "list/one-reply-per-export",
    level: "must",
    section: "Option types",
    sentence: "Return zero or more `NBD_REP_SERVER` replies, one for each export",
    needs: ["list"],
    async run(bench) {
      const { replies } = await (await bench.haggle()).ask(OptionType.list);
      const names = replies.map((reply) => decodeListed(reply).name.toString("latin1"));
      demandEqual(new Set(names).size, names.length, "different names among those listed");
    },
  },
  {
    name: "list/name-length-within-reply",
    level: "must",
    section: "Option reply types",
    sentence: "32 bits, length of name (unsigned); MUST be no larger than the reply packet header length - 4",
    needs: ["list"],
    async run(bench) {
      const { replies } = await (await bench.haggle()).ask(OptionType.list);
      for (const reply of replies) decodeListed(reply);
    },
  },
  {
    name: "list/names-are-strings",
    level: "must",
    section: "Introduction",
    sentence:
      "that string is a sequence of UTF-8 code points, which is not `NUL` terminated, MUST NOT contain `NUL` characters, SHOULD be no longer than 256 bytes and MUST be no longer than 4096 bytes. This applies to export names and error messages (amongst others).",
    needs: ["list"],
    async run(bench) {
      for (const reply of (await (await bench.haggle()).ask(OptionType.list)).replies) {
        const { name, description } = decodeListed(reply);
        demand(isText(name), `a listed name is not UTF-8, or has a NUL in it: ${name.toString("hex")}`);
        demand(name.length <= STRING_LENGTH_MAX, `a listed name has ${name.length} bytes`);
        demand(isText(description), `a listed description is not UTF-8: ${description.toString("hex")}`);
      }
    },
  },
  {
    name: "list/listed-name-opens",
    level: "must",
    section: "Option reply types",
    sentence:
      "String, name of the export, as expected by `NBD_OPT_EXPORT_NAME`, `NBD_OPT_INFO`, or `NBD_OPT_GO`",
    needs: ["list"],
    async run(bench) {
      const names = bench.survey.exportNames ?? [];
      if (names.length === 0) notApplicable("the list is empty");
      const haggling = await bench.haggle();
      for (const name of names.slice(0, LOOKED_AT_MAX)) {
        const answer = await haggling.ask(OptionType.info, encodeInfo(name));
        // Some exports may be for clients in TLS alone.
        const isSecret = answer.final.type === OptionReply.errorTlsRequired && !bench.usesTls;
        if (!isSecret) demandAck(answer, `INFO for the listed export “${name}”`);
      }
    },
  },
  {
    name: "list/with-data-invalid",
    level: "should",
    section: "Option types",
    sentence:
      "The client MUST NOT send any additional data with the option, and the server SHOULD reject a request that includes data with `NBD_REP_ERR_INVALID`.",
    needs: ["list"],
    async run(bench) {
      const haggling = await bench.haggle();
      demandError(
        await haggling.ask(OptionType.list, Buffer.from("x")),
        [OptionReply.errorInvalid],
        "LIST with a byte of data",
      );
      await demandInStep(haggling, "after it");
    },
  },
  {
    name: "list/twice-the-same",
    level: "should",
    section: "Option types",
    sentence: "Return zero or more `NBD_REP_SERVER` replies, one for each export",
    needs: ["list"],
    async run(bench) {
      const haggling = await bench.haggle();
      const names = async (): Promise<string> =>
        (await haggling.ask(OptionType.list)).replies
          .map(({ data }) => data.toString("hex"))
          .toSorted()
          .join();
      demand((await names()) === (await names()), "two lists of one connection differ");
    },
  },
];
