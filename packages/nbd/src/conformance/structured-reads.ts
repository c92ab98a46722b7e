import { Command } from "../protocol/numbers.ts";
import type { Bench } from "./bench.ts";
import type { Reply, Session } from "./session.ts";

/** A read that fails for sure: it reaches past the end. */
export function readPastEnd(bench: Bench, session: Session): Promise<Reply> {
  const { size, unit } = bench;
  return session.ask({ command: Command.read, offset: size - (size % unit), length: unit * 2 });
}
