import { OptionReply, OptionType } from "../protocol/numbers.ts";
import type { Bench } from "./bench.ts";
import { demandAck } from "./haggling.ts";
import type { Haggling, OptionAnswer } from "./haggling.ts";
import { isText } from "./text.ts";
import { demand, demandEqual } from "./violation.ts";

/** After STRUCTURED_REPLY. */
export async function haggleStructured(bench: Bench): Promise<Haggling> {
  const haggling = await bench.haggle();
  demandAck(await haggling.ask(OptionType.structuredReply), "STRUCTURED_REPLY");
  return haggling;
}

/** Names and ids in an answer. */
export function contextsOf({ replies }: OptionAnswer): { readonly id: number; readonly name: string }[] {
  return replies.map(({ type, data }) => {
    demandEqual(type, OptionReply.metaContext, "the type of a reply about metadata contexts");
    demand(data.length > 4, `a metadata context has ${data.length} bytes, too few for an id and a name`);
    demand(isText(data.subarray(4)), "the name of a metadata context is no string");
    return { id: data.readUInt32BE(0), name: data.toString("utf8", 4) };
  });
}
