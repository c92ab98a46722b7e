import type { Command } from "commander";
import { UsageError } from "./usage-error.ts";

/** An empty label is none, which may well be wanted. */
const CAN_BE_EMPTY: ReadonlySet<string | undefined> = new Set(["--label", "--subsystem"]);

/** Refuses words that are empty: variables of a shell that were never set. None means anything here. */
export function refuseEmptyWords(command: Command): void {
  if (command.args.includes("")) throw new UsageError("a source is empty");
  for (const option of command.options) {
    if (CAN_BE_EMPTY.has(option.long)) continue;
    const value: unknown = command.getOptionValue(option.attributeName());
    const isEmpty = value === "" || (Array.isArray(value) && value.includes(""));
    if (isEmpty) throw new UsageError(`${option.long ?? option.flags} is empty`);
  }
}
