import { Option } from "commander";
import type { Command } from "commander";
import type { ChangeOptions } from "./change.ts";
import { changing, withForce, withPvSettings, withTags } from "./change-options.ts";
import { pvCk } from "./dump.ts";
import type { PvCkOptions } from "./dump.ts";
import { withDevices } from "./lvm-options.ts";
import type { LvmProgramParts } from "./lvm-options.ts";
import { pvChange, pvCreate, pvRemove, pvResize } from "./pv-commands.ts";
import type { PvChangeOptions, PvCreateOptions, PvResizeOptions } from "./pv-commands.ts";
import { PVCHANGE_HELP, PVCK_HELP, PVCREATE_HELP, PVREMOVE_HELP, PVRESIZE_HELP } from "./pv-help.ts";

/** The commands about physical volumes. */
export function addPvCommands(lvm: Command, parts: LvmProgramParts): void {
  const { ended } = parts;

  withPvSettings(
    withForce(
      changing(lvm, parts, "pvcreate", "make physical volumes", PVCREATE_HELP),
      "also over what a device carries, which is lost",
    ),
  )
    .argument("<pv...>", "image files, partitions in them, or URIs of NBD")
    .option("-u, --uuid <uuid>", "its UUID (default: a random one)")
    .option("--restorefile <file>", "a backup that knows the UUID: data begins where it did")
    .option("--norestorefile", "with --uuid: without such a backup")
    .option("--setphysicalvolumesize <size>", "take the device for that large")
    .action(async (words: string[], options: PvCreateOptions) => ended(await pvCreate(words, options)));

  withForce(
    changing(lvm, parts, "pvremove", "take the label off physical volumes", PVREMOVE_HELP),
    "also one that belongs to a group",
  )
    .argument("<pv...>", "physical volumes of no group")
    .action(async (words: string[], options: ChangeOptions) => ended(await pvRemove(words, options)));

  changing(lvm, parts, "pvresize", "fit physical volumes to their devices", PVRESIZE_HELP)
    .argument("<pv...>", "physical volumes")
    .option("--setphysicalvolumesize <size>", "fit them to this size instead")
    .action(async (words: string[], options: PvResizeOptions) => ended(await pvResize(words, options)));

  withTags(
    changing(lvm, parts, "pvchange", "change what is allowed on physical volumes, or tags", PVCHANGE_HELP),
    true,
  )
    .argument("<pv...>", "physical volumes")
    .option("-x, --allocatable <y|n>", "whether new extents may lie there")
    .option("-u, --uuid", "a new random UUID")
    .action(async (words: string[], options: PvChangeOptions) => ended(await pvChange(words, options)));

  parts
    .withKeys(withDevices(parts.subcommand(lvm, "pvck")))
    .summary("check or print what stands on physical volumes")
    .description("Check or print what stands on physical volumes, as LVM2's pvck does. Writes nothing.")
    .argument("<pv...>", "physical volumes")
    .addOption(
      new Option("--dump <what>", "print instead of checking").choices([
        "headers",
        "metadata",
        "metadata_area",
      ]),
    )
    .option("--json", "print it as JSON, sizes in bytes")
    .addHelpText("after", PVCK_HELP)
    .action(async (words: string[], options: PvCkOptions) => ended(await pvCk(words, options)));
}
