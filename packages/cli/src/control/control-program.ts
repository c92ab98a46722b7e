import type { Command } from "commander";
import { collect } from "../collect.ts";
import type { ExitStatus } from "../exit-status.ts";
import { CONTROL_HELP } from "./control-help.ts";
import { control } from "./control.ts";
import type { ControlOptions } from "./control.ts";

/** What the command takes of the program it belongs to. */
interface Parts {
  readonly ended: (status: ExitStatus) => void;
  readonly subcommand: (parent: Command, name: string) => Command;
}

/** `cev control`. */
export function addControlCommands(program: Command, { ended, subcommand }: Parts): void {
  subcommand(program, "control")
    .summary("look into a running stack, and change it")
    .description("Look into a stack that cev serve --control runs, and change it while it is in use.")
    .argument("<socket>", "the control socket")
    .argument("<command>", "tree, describe, stats, insert, remove, replace or trace")
    .argument("[name]", "remove and replace: the device")
    .option("--above <name>", "insert: the device that the layer is put on")
    .option("--driver <driver>", "insert, replace: a driver, a package or a path, as in a stack file")
    .option("--option <key=value>", "insert, replace: an option of the driver (repeatable)", collect)
    .option("--options <json>", "insert, replace: options of the driver as a JSON object")
    .option("--name <name>", "insert: what the new device is called")
    .option("--changes-content", "insert, remove, replace: also where something else is read then")
    .option("--timeout <seconds>", "insert, remove, replace: how long requests may take to end (30)")
    .option("--seconds <seconds>", "stats: count for so long, and print rates")
    .option("--device <name>", "trace: only requests that pass this device")
    .option("--op <op>", "trace: only read, write, flush, discard or writeZeroes")
    .option("--count <count>", "trace: so many requests (10)")
    .option("--slower-than <ms>", "trace: only requests that take longer")
    .option("--json", "print what the server sends as JSON, traces one in a line")
    .addHelpText("after", CONTROL_HELP)
    .action(async (socket: string, command: string, name: string | undefined, options: ControlOptions) =>
      ended(await control(socket, command, name, options)),
    );
}
