import { OptionType } from "../protocol/numbers.ts";
import type { Haggling } from "./haggling.ts";
import { demandAck } from "./haggling.ts";
import type { ConformanceTls } from "./target.ts";
import { Violation } from "./violation.ts";

/** Asks for TLS and goes on in it. */
export async function startTls(haggling: Haggling, tls: ConformanceTls): Promise<void> {
  demandAck(await haggling.ask(OptionType.startTls), "STARTTLS");
  try {
    await haggling.wire.upgrade(tls);
  } catch (error) {
    throw new Violation(`TLS did not come about: ${error instanceof Error ? error.message : String(error)}`);
  }
}
