import { stackSchema } from "@cev/stack";
import { ExitStatus } from "./exit-status.ts";
import { say } from "./output.ts";
import { standardDrivers } from "./standard-drivers.ts";

/** `cev schema`: the JSON Schema of stack files, for editors. */
export function schema(): ExitStatus {
  say(JSON.stringify(stackSchema(standardDrivers()), null, 2));
  return ExitStatus.done;
}
