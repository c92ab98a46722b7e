import type { Command } from "commander";
import { nbdConformance } from "./conformance-command.ts";
import type { ConformanceCommandOptions } from "./conformance-command.ts";
import { CONFORMANCE_HELP } from "./conformance-help.ts";
import type { ExitStatus } from "./exit-status.ts";

/** What the command takes of the program it belongs to. */
interface Parts {
  readonly ended: (status: ExitStatus) => void;
  readonly subcommand: (parent: Command, name: string) => Command;
}

/** `cev nbd-conformance`. */
export function addConformanceCommand(program: Command, { ended, subcommand }: Parts): void {
  subcommand(program, "nbd-conformance")
    .summary("put the rules of the NBD protocol to a server")
    .description("Put every rule of the NBD protocol that can be seen from outside to a server.")
    .argument(
      "[uri]",
      "the server and its export: nbd://HOST/NAME, nbd+unix:///NAME?socket=PATH, nbds for TLS",
    )
    .option("--write", "also change the last 64 MiB of the export, and put back what was there")
    .option("--read-only-export <name>", "an export of the same server that is read-only")
    .option("--only <pattern>", "only checks whose name contains this; * is anything")
    .option("--except <pattern>", "not those, such as what the server does not outlive")
    .option("--timeout <seconds>", "how long each answer is waited for (default 5)")
    .option("--verbose", "tell of every check, with what went over the wire where one failed")
    .option("--json", "print the report as JSON")
    .option("--list", "print the names of all checks, and ask no server")
    .addHelpText("after", CONFORMANCE_HELP)
    .action(async (uri: string | undefined, options: ConformanceCommandOptions) =>
      ended(await nbdConformance(uri, options)),
    );
}
