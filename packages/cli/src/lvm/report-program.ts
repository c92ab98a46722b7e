import { Option } from "commander";
import type { Command } from "commander";
import { collect } from "../collect.ts";
import { withDevices } from "./lvm-options.ts";
import type { LvmProgramParts } from "./lvm-options.ts";
import type { ReportKind } from "./report/report.ts";
import { LVS_HELP, PVS_HELP, VGS_HELP } from "./report-help.ts";
import { report } from "./reports.ts";
import type { ReportOptions } from "./reports.ts";

/** `cev lvm pvs`, `vgs` and `lvs`. */
export function addReportCommands(lvm: Command, { ended, subcommand, withKeys }: LvmProgramParts): void {
  const reporting = (kind: ReportKind, summary: string, argument: string, help: string): void => {
    withKeys(withReport(withDevices(subcommand(lvm, kind))))
      .summary(summary)
      .description(`${summary[0]!.toUpperCase()}${summary.slice(1)}, as LVM2's ${kind} does. Writes nothing.`)
      .argument(argument, ARGUMENT_TEXTS[kind])
      .addHelpText("after", help)
      .action(async (words: string[], options: ReportOptions) => ended(await report(kind, words, options)));
  };
  reporting("pvs", "list physical volumes", "[pv...]", PVS_HELP);
  reporting("vgs", "list volume groups", "[vg...]", VGS_HELP);
  reporting("lvs", "list logical volumes", "[vg|vg/lv...]", LVS_HELP);
}

const ARGUMENT_TEXTS: Readonly<Record<ReportKind, string>> = {
  pvs: "physical volumes: image files, partitions in them, or one stack file",
  vgs: "groups to list (default: all), and devices to look at",
  lvs: "groups or volumes to list (default: all), and devices to look at",
};

function withReport(command: Command): Command {
  return command
    .option("-o, --options <columns>", "columns: a,b; +a,b more; -a fewer; help lists them", collect)
    .option("-O, --sort <columns>", "sort by these; -a: downwards")
    .option("-a, --all", "hidden volumes, too")
    .option("-v, --verbose", "more columns")
    .option("--segments", "a line for each segment")
    .option("--units <unit>", "r h b s k m g t p e, or capitals: powers of 1000")
    .option("--nosuffix", "sizes without their unit")
    .option("--noheadings", "no line of headings")
    .option("--unbuffered", "as usual: taken for the sake of scripts")
    .option("--separator <text>", "between columns, which are not padded then")
    .option("--aligned", "pad columns also with a separator")
    .option("--unaligned", "do not pad columns")
    .addOption(
      new Option("--reportformat <format>", "basic, or json as LVM2 prints it").choices(["basic", "json"]),
    )
    .option("--json", "the same as --reportformat json");
}
