import { Option } from "commander";
import type { Command } from "commander";
import { collect } from "../collect.ts";
import { withDevices } from "./lvm-options.ts";
import type { LvmProgramParts } from "./lvm-options.ts";

/** A command that changes something, with the options that all of them have. */
export function changing(
  lvm: Command,
  { subcommand, withKeys }: LvmProgramParts,
  name: string,
  summary: string,
  help: string,
): Command {
  return withKeys(withDevices(subcommand(lvm, name)))
    .summary(summary)
    .description(`${summary[0]!.toUpperCase()}${summary.slice(1)}, as LVM2's ${name} does.`)
    .option("-t, --test", "do all but the writing, and say what would be written")
    .option("--dry-run", "the same as --test")
    .option("--json", "print what was done as JSON")
    .option("--progress", "show progress also where standard error is no terminal")
    .option("--degraded", "write although redundancy is missing below")
    .option("--archive <folder>", "where the text before the change is saved")
    .addOption(new Option("-A, --autobackup <y|n>", "save it (default), or not").choices(["y", "n"]))
    .option("-q, --quiet", "nothing but errors and warnings")
    .addOption(new Option("-v, --verbose", "as usual: taken for the sake of scripts").hideHelp())
    .option("-y, --yes", "yes to what LVM2 would ask")
    .addHelpText("after", help);
}

export function withForce(command: Command, text: string): Command {
  return command.option("-f, --force", text);
}

/** Settings of new physical volumes. */
export function withPvSettings(command: Command): Command {
  return command
    .option("--pvmetadatacopies <count>", "metadata areas: 0, 1 (default) or 2")
    .option("--metadatacopies <count>", "the same")
    .option("--metadatasize <size>", "size of a metadata area (default: up to the first MiB)")
    .option("--dataalignment <size>", "where the first extent is aligned to (default 1m)")
    .option("--dataalignmentoffset <size>", "how far behind that it begins")
    .option("--labelsector <sector>", "0 to 3 (default 1)")
    .option("--bootloaderareasize <size>", "room for a boot loader")
    .option("-Z, --zero <y|n>", "wipe the first 2 KiB (default y)")
    .option("--make-images <size>", "make image files that are not there");
}

/** Tags to add and to take away. */
export function withTags(command: Command, canDelete: boolean): Command {
  command.option("--addtag <tag>", "add a tag (repeatable)", collectTag);
  return canDelete ? command.option("--deltag <tag>", "take a tag away (repeatable)", collectTag) : command;
}

/** LVM2 writes tags with an `@` in front where they could be taken for names, and keeps them without. */
function collectTag(value: string, earlier?: readonly string[]): readonly string[] {
  return collect(value.replace(/^@/, ""), earlier);
}

/** How new extents are chosen. */
export function withAlloc(command: Command): Command {
  return command.addOption(
    new Option("--alloc <policy>", "how extents are chosen").choices([
      "contiguous",
      "cling",
      "normal",
      "anywhere",
      "inherit",
    ]),
  );
}
