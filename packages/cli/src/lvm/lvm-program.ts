import type { Command } from "commander";
import { addAbsentCommands } from "./absent-commands.ts";
import { LVM_HELP } from "./lvm-help.ts";
import type { LvmProgramParts } from "./lvm-options.ts";
import { addLvCommands } from "./lv-program.ts";
import { addPvCommands } from "./pv-program.ts";
import { addReportCommands } from "./report-program.ts";
import { addVgCommands } from "./vg-program.ts";

/** `cev lvm …`. */
export function addLvmCommands(program: Command, parts: LvmProgramParts): void {
  const lvm = parts
    .subcommand(program, "lvm")
    .summary("make, look at and change LVM2 volume groups")
    .description("Make, look at and change LVM2 volume groups, in the words of LVM2.")
    .addHelpText("after", LVM_HELP);
  addReportCommands(lvm, parts);
  addPvCommands(lvm, parts);
  addVgCommands(lvm, parts);
  addLvCommands(lvm, parts);
  addAbsentCommands(lvm);
}
