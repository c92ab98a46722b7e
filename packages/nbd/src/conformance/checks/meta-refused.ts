import { OptionReply, OptionType } from "../../protocol/numbers.ts";
import type { Bench } from "../bench.ts";
import type { Check } from "../check.ts";
import { demandError, demandInStep, encodeQueries } from "../haggling.ts";
import { ALLOCATION } from "../survey.ts";
import { demandEqual } from "../violation.ts";
import { contextsOf, haggleStructured } from "../haggle-structured.ts";

const { listMetaContext: LIST, setMetaContext: SET } = OptionType;

/** The same query twice with a length that lies: longer than the option. */
function lyingQuery(bench: Bench): Buffer {
  const data = encodeQueries(bench.exportName, [ALLOCATION]);
  data.writeUInt32BE(1000, data.length - ALLOCATION.length - 4);
  return data;
}

/** LIST_META_CONTEXT and SET_META_CONTEXT that are malformed. */
export const metaRefusedChecks: readonly Check[] = [
  {
    name: "meta/set-without-structured-invalid",
    level: "should",
    section: "Option types",
    sentence:
      "This option MUST NOT be requested unless structured replies have been negotiated first. If a client attempts to do so, a server SHOULD send `NBD_REP_ERR_INVALID`.",
    needs: ["meta"],
    async run(bench) {
      const haggling = await bench.haggle();
      const answer = await haggling.ask(SET, encodeQueries(bench.exportName, [ALLOCATION]));
      demandError(
        answer,
        [OptionReply.errorInvalid, 0x8000_000a],
        "SET_META_CONTEXT without structured replies",
      );
    },
  },
  {
    name: "meta/query-longer-than-data-invalid",
    level: "must",
    section: "Option types",
    sentence:
      "If the option request is syntactically invalid (such as a query length that would require reading beyond the original length given in the option header), the server MUST fail the request with `NBD_REP_ERR_INVALID`.",
    needs: ["meta"],
    async run(bench) {
      for (const option of [LIST, SET]) {
        const haggling = await haggleStructured(bench);
        demandError(
          await haggling.ask(option, lyingQuery(bench)),
          [OptionReply.errorInvalid],
          "a query that is longer than its option",
        );
        await demandInStep(haggling, "after it");
      }
    },
  },
  {
    name: "meta/short-data-invalid",
    level: "must",
    section: "Option types",
    sentence:
      "If the option request is syntactically invalid … the server MUST fail the request with `NBD_REP_ERR_INVALID`.",
    needs: ["meta"],
    async run(bench) {
      const whole = encodeQueries(bench.exportName, [ALLOCATION]);
      for (const data of [Buffer.alloc(0), Buffer.alloc(3), whole.subarray(0, whole.length - 1)]) {
        const haggling = await haggleStructured(bench);
        demandError(
          await haggling.ask(SET, data),
          [OptionReply.errorInvalid],
          `SET_META_CONTEXT cut to ${data.length} bytes`,
        );
      }
    },
  },
  {
    name: "meta/trailing-data-invalid",
    level: "should",
    section: "Option types",
    sentence:
      "If the option request is syntactically invalid … the server MUST fail the request with `NBD_REP_ERR_INVALID`.",
    needs: ["meta"],
    async run(bench) {
      const data = Buffer.concat([encodeQueries(bench.exportName, [ALLOCATION]), Buffer.from("x")]);
      demandError(
        await (await haggleStructured(bench)).ask(SET, data),
        [OptionReply.errorInvalid],
        "SET_META_CONTEXT with a byte too many",
      );
    },
  },
  {
    name: "meta/too-many-queries-said-invalid",
    level: "must",
    section: "Option types",
    sentence:
      "If the option request is syntactically invalid … the server MUST fail the request with `NBD_REP_ERR_INVALID`.",
    needs: ["meta"],
    async run(bench) {
      const data = encodeQueries(bench.exportName, [ALLOCATION]);
      data.writeUInt32BE(0xffff_ffff, 4 + Buffer.byteLength(bench.exportName));
      const haggling = await haggleStructured(bench);
      demandError(
        await haggling.ask(SET, data),
        [OptionReply.errorInvalid, OptionReply.errorTooBig],
        "SET_META_CONTEXT that says it has 4 G queries",
      );
      await demandInStep(haggling, "after it");
    },
  },
  {
    name: "meta/many-queries-served-or-too-big",
    level: "must",
    section: "Option types",
    sentence:
      "In this case, the server MAY fail with `NBD_REP_ERR_TOO_BIG` if too many queries are requested.",
    needs: ["meta"],
    async run(bench) {
      const queries = [
        ...Array.from({ length: 60 }, (_, index) => `x-conformance-test:${index}`),
        ALLOCATION,
      ];
      const haggling = await haggleStructured(bench);
      const answer = await haggling.ask(SET, encodeQueries(bench.exportName, queries));
      if (answer.isAck)
        demandEqual(contextsOf(answer).length, 1, "contexts selected by the last of 61 queries");
      else demandError(answer, [OptionReply.errorTooBig], "SET_META_CONTEXT with 61 queries");
      await demandInStep(haggling, "after it");
    },
  },
  {
    name: "meta/no-colon-invalid-or-ignored",
    level: "must",
    section: "Option types",
    sentence:
      "For requests that are semantically invalid (such as lacking the required colon that delimits the namespace, or using a leaf name that is invalid for a known namespace), the server MAY fail the request with `NBD_REP_ERR_INVALID`.",
    needs: ["meta"],
    async run(bench) {
      const answer = await (
        await haggleStructured(bench)
      ).ask(SET, encodeQueries(bench.exportName, ["base"]));
      if (answer.isAck)
        demandEqual(contextsOf(answer).length, 0, "contexts selected by a query without a colon");
      else demandError(answer, [OptionReply.errorInvalid], "a query without a colon");
    },
  },
];
