import { OptionReply, OptionType, STRING_LENGTH_MAX } from "../../protocol/numbers.ts";
import type { Bench } from "../bench.ts";
import type { Check } from "../check.ts";
import {
  demandAck,
  demandError,
  demandInStep,
  encodeInfo,
  encodeQueries,
  NO_SUCH_NAME,
} from "../haggling.ts";
import { ALLOCATION } from "../survey.ts";
import { demand, demandEqual, notApplicable } from "../violation.ts";
import { contextsOf, haggleStructured } from "../haggle-structured.ts";

const { listMetaContext: LIST, setMetaContext: SET } = OptionType;

async function ask(
  bench: Bench,
  option: number,
  queries: readonly string[],
): Promise<{ readonly id: number; readonly name: string }[]> {
  const answer = await (await haggleStructured(bench)).ask(option, encodeQueries(bench.exportName, queries));
  demandAck(answer, `${option === SET ? "SET" : "LIST"}_META_CONTEXT with ${JSON.stringify(queries)}`);
  return contextsOf(answer);
}

/** LIST_META_CONTEXT and SET_META_CONTEXT. */
export const metaChecks: readonly Check[] = [
  {
    name: "meta/answered-or-unsupported",
    level: "must",
    section: "Baseline",
    sentence:
      "Servers that receive messages which they do not implement MUST reply to them with `NBD_REP_ERR_UNSUP`, and MUST NOT fail to parse the next message received.",
    needs: ["export", "plain"],
    async run(bench) {
      for (const option of [LIST, SET]) {
        const haggling = await bench.haggle();
        await haggling.ask(OptionType.structuredReply);
        await haggling.ask(option, encodeQueries(bench.exportName, [ALLOCATION]));
        await demandInStep(haggling, "after an option about metadata contexts");
      }
    },
  },
  {
    name: "meta/list-all-has-allocation",
    level: "must",
    section: "Option types",
    sentence:
      "If zero queries are sent, then the server MUST return all the metadata contexts that are available to the client to select on the given export.",
    needs: ["meta"],
    async run(bench) {
      const names = (await ask(bench, LIST, [])).map(({ name }) => name);
      demand(
        names.includes(ALLOCATION) || names.includes("base:"),
        `the list has only ${names.join(", ") || "nothing"}`,
      );
    },
  },
  {
    name: "meta/base-wildcard-lists-allocation",
    level: "must",
    section: "The `base:` metadata namespace",
    sentence: "MUST support this as a wildcard during `NBD_OPT_LIST_META_CONTEXT`",
    needs: ["meta"],
    async run(bench) {
      const names = (await ask(bench, LIST, ["base:"])).map(({ name }) => name);
      demand(names.includes(ALLOCATION), `the list for “base:” has ${names.join(", ") || "nothing"}`);
    },
  },
  {
    name: "meta/list-by-name",
    level: "must",
    section: "Option types",
    sentence:
      "If one or more queries are sent, then the server MUST return those metadata contexts that are available to the client to select on the given export with `NBD_OPT_SET_META_CONTEXT`, and which match one or more of the queries given.",
    needs: ["meta"],
    async run(bench) {
      const names = (await ask(bench, LIST, [ALLOCATION])).map(({ name }) => name);
      demandEqual(names.join(), ALLOCATION, `the list for “${ALLOCATION}”`);
    },
  },
  {
    name: "meta/list-ids-are-zero",
    level: "should",
    section: "Option types",
    sentence:
      "The metadata context ID in these replies is reserved and SHOULD be set to zero; clients MUST disregard it.",
    needs: ["meta"],
    async run(bench) {
      for (const { id, name } of await ask(bench, LIST, []))
        demandEqual(id, 0, `the id of ${name} in a list`);
    },
  },
  {
    name: "meta/names-have-a-namespace",
    level: "must",
    section: "Metadata querying",
    sentence: "The name MUST consist of a namespace, followed by a colon, followed by a leaf-name.",
    needs: ["meta"],
    async run(bench) {
      for (const { name } of await ask(bench, LIST, [])) {
        demand(/^[^\s:]+:/.test(name), `a metadata context has the name “${name}”`);
        demand(Buffer.byteLength(name) <= STRING_LENGTH_MAX, "the name of a metadata context is too long");
      }
    },
  },
  {
    name: "meta/namespace-registered",
    level: "must",
    section: "Metadata querying",
    sentence:
      "Namespaces MUST be consist of one of the following: - `base`, for metadata contexts defined by this document",
    needs: ["meta"],
    async run(bench) {
      for (const { name } of await ask(bench, LIST, []))
        demand(/^(base|nbd-server|qemu|x-[^:]*):/.test(name), `a metadata context has the name “${name}”`);
    },
  },
  {
    name: "meta/set-selects",
    level: "must",
    section: "Option types",
    sentence:
      "Otherwise the server MUST reply with a number of `NBD_REP_META_CONTEXT` replies, one for each selected metadata context, each with a unique metadata context ID, followed by `NBD_REP_ACK`.",
    needs: ["meta"],
    async run(bench) {
      const names = (await ask(bench, SET, [ALLOCATION])).map(({ name }) => name);
      demandEqual(names.join(), ALLOCATION, "what was selected");
    },
  },
  {
    name: "meta/ids-unique",
    level: "must",
    section: "Option types",
    sentence: "one for each selected metadata context, each with a unique metadata context ID",
    needs: ["meta"],
    async run(bench) {
      const all = (await ask(bench, LIST, [])).map(({ name }) => name);
      const selected = await ask(bench, SET, all);
      demandEqual(
        new Set(selected.map(({ id }) => id)).size,
        selected.length,
        "different ids of what was selected",
      );
      demandEqual(
        new Set(selected.map(({ name }) => name)).size,
        selected.length,
        "different names of what was selected",
      );
    },
  },
  {
    name: "meta/same-query-twice-selects-once",
    level: "must",
    section: "Option types",
    sentence: "one for each selected metadata context, each with a unique metadata context ID",
    needs: ["meta"],
    async run(bench) {
      const selected = await ask(bench, SET, [ALLOCATION, ALLOCATION]);
      demandEqual(selected.length, 1, "contexts that were selected by one name given twice");
    },
  },
  {
    name: "meta/set-ignores-base-wildcard",
    level: "must",
    section: "The `base:` metadata namespace",
    sentence: "`base:` - the server MUST ignore this form during `NBD_OPT_SET_META_CONTEXT`",
    needs: ["meta"],
    async run(bench) {
      const selected = await ask(bench, SET, ["base:"]);
      demandEqual(selected.map(({ name }) => name).join(), "", "what “base:” selected");
    },
  },
  {
    name: "meta/unknown-leaf-ignored",
    level: "must",
    section: "The `base:` metadata namespace",
    sentence:
      "If a `[leaf-name]` requested by the client is not recognized, the server MUST ignore it rather than report an error.",
    needs: ["meta"],
    async run(bench) {
      for (const option of [LIST, SET])
        demandEqual(
          (await ask(bench, option, ["base:no-such-leaf"])).length,
          0,
          "contexts for “base:no-such-leaf”",
        );
      demandEqual(
        (await ask(bench, SET, ["base:no-such-leaf", ALLOCATION])).length,
        1,
        "contexts selected beside it",
      );
    },
  },
  {
    name: "meta/unknown-namespace-ignored",
    level: "must",
    section: "Option types",
    sentence: "However, the server MUST ignore query strings belonging to an unknown namespace.",
    needs: ["meta"],
    async run(bench) {
      for (const option of [LIST, SET])
        demandEqual(
          (await ask(bench, option, ["x-conformance-test:any"])).length,
          0,
          "contexts for a namespace that does not exist",
        );
      demandEqual(
        (await ask(bench, SET, ["x-conformance-test:any", ALLOCATION])).length,
        1,
        "contexts selected beside it",
      );
    },
  },
  {
    name: "meta/nothing-found-single-ack",
    level: "must",
    section: "Option types",
    sentence:
      "If none of the query strings find any metadata contexts, the server MUST send a single reply of type `NBD_REP_ACK`.",
    needs: ["meta"],
    async run(bench) {
      demandEqual((await ask(bench, LIST, ["x-conformance-test:"])).length, 0, "replies before the ack");
    },
  },
  {
    name: "meta/no-queries-select-none",
    level: "must",
    section: "Option types",
    sentence: "If zero queries are sent, the server MUST select no metadata contexts.",
    needs: ["meta"],
    async run(bench) {
      demandEqual((await ask(bench, SET, [])).length, 0, "contexts selected by no queries");
    },
  },
  {
    name: "meta/unknown-export-fails",
    level: "should",
    section: "Option reply types",
    sentence: "`NBD_REP_ERR_UNKNOWN` (2^31 + 6) The requested export is not available.",
    needs: ["meta"],
    async run(bench) {
      const haggling = await haggleStructured(bench);
      if ((await haggling.ask(OptionType.info, encodeInfo(NO_SUCH_NAME))).isAck)
        notApplicable("the server serves any name");
      for (const option of [LIST, SET])
        demandError(
          await haggling.ask(option, encodeQueries(NO_SUCH_NAME, [ALLOCATION])),
          [OptionReply.errorUnknown, OptionReply.errorTlsRequired],
          "metadata contexts of an export that does not exist",
        );
    },
  },
];
