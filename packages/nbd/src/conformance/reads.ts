import { Command } from "../protocol/numbers.ts";
import type { Bench } from "./bench.ts";
import { dataOf } from "./replies.ts";
import type { Session } from "./session.ts";

/** Demands that a read works: the server has found the end of what came before. Gives what is there. */
export async function demandReads(bench: Bench, session: Session, offset = 0): Promise<Buffer> {
  const length = Math.min(bench.unit, bench.size);
  return dataOf(await session.ask({ command: Command.read, offset, length }), "the read after it");
}
