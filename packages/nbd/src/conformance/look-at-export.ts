import { InfoType, OptionType } from "../protocol/numbers.ts";
import type { Bench } from "./bench.ts";
import { decodeInfoAnswer } from "./export-facts.ts";
import type { ExportFacts } from "./export-facts.ts";
import { demandAck, encodeInfo } from "./haggling.ts";
import type { Haggling } from "./haggling.ts";

const ALL_ITEMS = [InfoType.name, InfoType.description, InfoType.blockSize];

/** What the server tells of the export under test. */
export async function lookAt(
  bench: Bench,
  haggling: Haggling,
  option: number = OptionType.info,
): Promise<ExportFacts> {
  const answer = await haggling.ask(option, encodeInfo(bench.exportName, ALL_ITEMS));
  demandAck(answer, option === OptionType.go ? "GO" : "INFO");
  return decodeInfoAnswer(answer);
}
