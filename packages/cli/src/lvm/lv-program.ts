import { Option } from "commander";
import type { Command } from "commander";
import type { ChangeOptions } from "./change.ts";
import { changing, withAlloc, withForce, withTags } from "./change-options.ts";
import type { LvmProgramParts } from "./lvm-options.ts";
import { lvChange, lvConvert, lvCreate, lvRemove, lvRename, lvResize } from "./lv-commands.ts";
import type { LvChangeOptions, LvConvertOptions, LvCreateOptions, LvSizeOptions } from "./lv-commands.ts";
import {
  LVCHANGE_HELP,
  LVCONVERT_HELP,
  LVCREATE_HELP,
  LVREMOVE_HELP,
  LVRENAME_HELP,
  LVRESIZE_HELP,
} from "./lv-help.ts";

const PLACES = "where it may lie: physical volumes, or ranges of extents: d0.img:0-99";

/** The commands about logical volumes. */
export function addLvCommands(lvm: Command, parts: LvmProgramParts): void {
  const { ended } = parts;

  withSize(
    withTags(changing(lvm, parts, "lvcreate", "make a volume, or a snapshot of one", LVCREATE_HELP), false),
  )
    .argument("<vg|vg/origin>", "the group; for a snapshot, the volume it is taken of")
    .argument("[pv...]", PLACES)
    .option("-n, --name <name>", "its name (default: lvol0, lvol1…)")
    .option("-s, --snapshot", "a snapshot; the size is that of its store")
    .option("-c, --chunksize <size>", "of a snapshot: 4k (default) to 512k")
    .option("-C, --contiguous <y|n>", "in one run of extents")
    .addOption(new Option("-p, --permission <mode>", "whether it may be written").choices(["r", "rw"]))
    .option("-Z, --zero <y|n>", "wipe the first 4 KiB (default y)")
    .addOption(new Option("-W, --wipesignatures <n>", "nothing else is wiped").choices(["n"]))
    .addOption(
      new Option("--type <type>", "what it is made of").choices([
        "linear",
        "striped",
        "snapshot",
        "error",
        "zero",
      ]),
    )
    .addOption(new Option("-a, --activate <n>", "nothing is activated here").hideHelp())
    .action(async (target: string, words: string[], options: LvCreateOptions) =>
      ended(await lvCreate(target, words, options)),
    );

  for (const command of ["lvextend", "lvreduce", "lvresize"] as const) {
    withForce(
      withSize(changing(lvm, parts, command, SIZE_SUMMARIES[command], LVRESIZE_HELP)),
      "what lies behind the new end may be lost",
    )
      .addOption(new Option("-r, --resizefs", "file systems are not resized here").hideHelp())
      .argument("<vg/lv>", "the volume")
      .argument("[pv...]", command === "lvreduce" ? "devices to look at" : PLACES)
      .action(async (target: string, words: string[], options: LvSizeOptions) =>
        ended(await lvResize(command, target, words, options)),
      );
  }

  changing(lvm, parts, "lvrename", "rename a volume", LVRENAME_HELP)
    .argument("<vg/old|vg>", "the volume, or its group with both names behind it")
    .argument("<names...>", "its new name; then devices to look at, in place of --devices")
    .action(async (first: string, words: string[], options: ChangeOptions) =>
      ended(await lvRename([first, ...words], options)),
    );

  withForce(changing(lvm, parts, "lvremove", "remove volumes", LVREMOVE_HELP), "an origin with its snapshots")
    .argument("<vg|vg/lv...>", "volumes, or groups for all volumes in them; and devices to look at")
    .action(async (words: string[], options: ChangeOptions) => ended(await lvRemove(words, options)));

  withTags(withAlloc(changing(lvm, parts, "lvchange", "change the settings of volumes", LVCHANGE_HELP)), true)
    .argument("<vg/lv...>", "volumes; and devices to look at")
    .addOption(new Option("-p, --permission <mode>", "whether it may be written").choices(["r", "rw"]))
    .option("-C, --contiguous <y|n>", "new extents in one run with the others")
    .option("-a, --activate <y|n>", "nothing is activated here: see cev serve")
    .action(async (words: string[], options: LvChangeOptions) => ended(await lvChange(words, options)));

  changing(lvm, parts, "lvconvert", "merge snapshots back into their origins", LVCONVERT_HELP)
    .argument("<vg/snapshot...>", "snapshots; and devices to look at")
    .option("--merge", "merge")
    .option("--mergesnapshot", "the same")
    .action(async (words: string[], options: LvConvertOptions) => ended(await lvConvert(words, options)));
}

const SIZE_SUMMARIES = {
  lvextend: "make a volume larger",
  lvreduce: "make a volume smaller",
  lvresize: "make a volume larger or smaller",
} as const;

function withSize(command: Command): Command {
  return withAlloc(
    command
      .addOption(
        new Option("-L, --size <size>", "its size, in MiB where no unit is given: b s k m g t p e").conflicts(
          "extents",
        ),
      )
      .option("-l, --extents <count>", "in extents, or 50%VG, 100%FREE, 50%PVS, 20%ORIGIN")
      .option("-i, --stripes <count>", "over so many physical volumes")
      .option("-I, --stripesize <size>", "bytes on one before the next (default 64k)"),
  );
}
