import { Option } from "commander";
import type { Command } from "commander";
import { detail } from "./detail.ts";
import type { DetailOptions } from "./detail.ts";
import { examine } from "./examine.ts";
import type { ExamineOptions } from "./examine.ts";
import { DETAIL_HELP, EXAMINE_HELP, RAID_HELP } from "./look-help.ts";
import { withChoice, withServed } from "./raid-options.ts";
import type { RaidProgramParts } from "./raid-options.ts";
import { addWorkCommands } from "./work-program.ts";

const MEMBERS = "members: image files, URIs of NBD, or one stack file; whatever is found in them counts";

/** `cev raid …`. */
export function addRaidCommands(program: Command, parts: RaidProgramParts): void {
  const { ended, subcommand, withKeys } = parts;
  const raid = subcommand(program, "raid")
    .summary("make, look at, repair and run md RAID arrays")
    .description("Make, look at, repair and run Linux md RAID arrays, in the words of mdadm.")
    .addHelpText("after", RAID_HELP);

  withKeys(
    subcommand(raid, "examine")
      .summary("show what the superblock of each member says")
      .description("Show what the superblock of each member says, as mdadm --examine does. Writes nothing.")
      .argument("<member...>", MEMBERS)
      .option("--json", "print it as JSON, sizes in bytes")
      .addOption(
        new Option("--bitmap", "show the write-intent bitmap of each member instead").conflicts([
          "badBlocks",
          "brief",
          "export",
        ]),
      )
      .addOption(
        new Option("--bad-blocks", "show the log of bad blocks of each member instead").conflicts([
          "brief",
          "export",
        ]),
      )
      .addOption(new Option("--brief", "one line for each array, as in mdadm.conf").conflicts("export"))
      .option("--export", "as variables of a shell"),
  )
    .addHelpText("after", EXAMINE_HELP)
    .action(async (sources: string[], options: ExamineOptions) => ended(await examine(sources, options)));

  withServed(withChoice(withKeys(subcommand(raid, "detail"))))
    .summary("show how an array is")
    .description(
      "Put an array together from its members, read-only, and show how it is, as mdadm --detail does.",
    )
    .argument("[member...]", MEMBERS)
    .option("--json", "print it as JSON, sizes in bytes")
    .addOption(new Option("--brief", "one line, as in mdadm.conf").conflicts("stack"))
    .option("--stack", "print a stack file that opens the array")
    .option("--force", "believe what may be out of date, where it cannot be read otherwise")
    .addHelpText("after", DETAIL_HELP)
    .action(async (sources: string[], options: DetailOptions) => ended(await detail(sources, options)));

  addWorkCommands(raid, parts, MEMBERS);
}
