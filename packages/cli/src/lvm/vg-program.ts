import type { Command } from "commander";
import { vgCfgBackup, vgCfgRestore, vgCk } from "./backup-commands.ts";
import type { BackupOptions, CheckOptions, RestoreOptions } from "./backup-commands.ts";
import type { ChangeOptions } from "./change.ts";
import { changing, withAlloc, withForce, withPvSettings, withTags } from "./change-options.ts";
import type { LvmProgramParts } from "./lvm-options.ts";
import {
  onGroups,
  vgChange,
  vgCreate,
  vgExtend,
  vgImportClone,
  vgReduce,
  vgRemove,
  vgRename,
} from "./vg-commands.ts";
import type {
  VgChangeOptions,
  VgCreateOptions,
  VgExtendOptions,
  VgImportCloneOptions,
  VgReduceOptions,
} from "./vg-commands.ts";
import {
  VGCFGBACKUP_HELP,
  VGCFGRESTORE_HELP,
  VGCHANGE_HELP,
  VGCK_HELP,
  VGCREATE_HELP,
  VGEXPORT_HELP,
  VGEXTEND_HELP,
  VGIMPORTCLONE_HELP,
  VGREDUCE_HELP,
  VGREMOVE_HELP,
  VGRENAME_HELP,
} from "./vg-help.ts";

const DEVICE_WORDS = "devices to look at, in place of --devices";

/** The commands about volume groups. */
export function addVgCommands(lvm: Command, parts: LvmProgramParts): void {
  addMaking(lvm, parts);
  addIdentity(lvm, parts);
  addBackups(lvm, parts);
}

function addMaking(lvm: Command, parts: LvmProgramParts): void {
  const { ended } = parts;

  withPvSettings(
    withForce(
      withTags(withAlloc(changing(lvm, parts, "vgcreate", "make a volume group", VGCREATE_HELP)), false),
      "also of devices that carry something, which is lost",
    ),
  )
    .argument("<vg>", "its name")
    .argument("<pv...>", "physical volumes, or devices that become such")
    .option("-s, --physicalextentsize <size>", "size of an extent (default 4m)")
    .option("-l, --maxlogicalvolumes <count>", "at most so many volumes (default: any number)")
    .option("-p, --maxphysicalvolumes <count>", "at most so many physical volumes")
    .action(async (group: string, words: string[], options: VgCreateOptions) =>
      ended(await vgCreate(group, words, options)),
    );

  withPvSettings(
    withForce(
      changing(lvm, parts, "vgextend", "add physical volumes to a group", VGEXTEND_HELP),
      "also devices that carry something, which is lost",
    ),
  )
    .argument("<vg>", "the group")
    .argument("<pv...>", "physical volumes, or devices that become such")
    .option("--restoremissing", "those that were missing belong to it again, as they are")
    .action(async (group: string, words: string[], options: VgExtendOptions) =>
      ended(await vgExtend(group, words, options)),
    );

  withForce(
    changing(lvm, parts, "vgreduce", "take physical volumes out of a group", VGREDUCE_HELP),
    "with --removemissing: also the volumes that lie on them",
  )
    .argument("<vg>", "the group")
    .argument("[pv...]", "physical volumes on which nothing lies")
    .option("-a, --all", "all on which nothing lies")
    .option("--removemissing", "all that are missing")
    .action(async (group: string, words: string[], options: VgReduceOptions) =>
      ended(await vgReduce(group, words, options)),
    );

  withForce(changing(lvm, parts, "vgremove", "remove groups", VGREMOVE_HELP), "with all volumes in them")
    .argument("<vg...>", `groups, and ${DEVICE_WORDS}`)
    .action(async (words: string[], options: ChangeOptions) => ended(await vgRemove(words, options)));
}

function addIdentity(lvm: Command, parts: LvmProgramParts): void {
  const { ended } = parts;

  changing(lvm, parts, "vgrename", "rename a group", VGRENAME_HELP)
    .argument("<old>", "its name or UUID")
    .argument("<new>", "its new name")
    .argument("[device...]", DEVICE_WORDS)
    .action(async (group: string, name: string, words: string[], options: ChangeOptions) =>
      ended(await vgRename(group, name, words, options)),
    );

  withTags(withAlloc(changing(lvm, parts, "vgchange", "change the settings of groups", VGCHANGE_HELP)), true)
    .argument("<vg...>", `groups, and ${DEVICE_WORDS}`)
    .option("-l, --logicalvolume <count>", "at most so many volumes; 0: any number")
    .option("-p, --maxphysicalvolumes <count>", "at most so many physical volumes; 0: any number")
    .option("-x, --resizeable <y|n>", "whether physical volumes may come and go")
    .option("-u, --uuid", "a new random UUID")
    .option("-a, --activate <y|n>", "nothing is activated here: see cev serve")
    .action(async (words: string[], options: VgChangeOptions) => ended(await vgChange(words, options)));

  changing(lvm, parts, "vgimportclone", "give a copy of a group new UUIDs and a name", VGIMPORTCLONE_HELP)
    .argument("<pv...>", "all physical volumes of the copy, and only those")
    .option("-n, --basevgname <name>", "its name, or what a number is put behind")
    .action(async (words: string[], options: VgImportCloneOptions) =>
      ended(await vgImportClone(words, options)),
    );

  for (const command of ["vgexport", "vgimport"] as const) {
    const summary =
      command === "vgexport" ? "mark groups as about to move to another host" : "take that mark off groups";
    withForce(changing(lvm, parts, command, summary, VGEXPORT_HELP), "although something is missing")
      .argument("<vg...>", `groups, and ${DEVICE_WORDS}`)
      .action(async (words: string[], options: ChangeOptions) =>
        ended(await onGroups(words, options, (group) => ({ command, group }))),
      );
  }
}

function addBackups(lvm: Command, parts: LvmProgramParts): void {
  const { ended } = parts;

  changing(lvm, parts, "vgcfgbackup", "save the metadata text of groups", VGCFGBACKUP_HELP)
    .argument("[vg...]", `groups (default: all), and ${DEVICE_WORDS}`)
    .option("--file <file>", "into this file; %s stands for the group's name")
    .option("-f <file>", "the same")
    .action(async (words: string[], options: BackupOptions & { readonly f?: string }) =>
      ended(await vgCfgBackup(words, withFile(options))),
    );

  changing(lvm, parts, "vgcfgrestore", "make a group what a saved text says", VGCFGRESTORE_HELP)
    .argument("<vg>", "the group")
    .argument("[device...]", DEVICE_WORDS)
    .option("--file <file>", "the text (default: that after the last change, or of the last vgcfgbackup)")
    .option("-f <file>", "the same")
    .option("-l, --list", "list what is saved of the group, and change nothing")
    .option("--force", "also where thin pools are in it")
    .action(async (group: string, words: string[], options: RestoreOptions & { readonly f?: string }) =>
      ended(await vgCfgRestore(group, words, withFile(options))),
    );

  changing(lvm, parts, "vgck", "check groups, and name every fault", VGCK_HELP)
    .argument("[vg...]", `groups (default: all), and ${DEVICE_WORDS}`)
    .option("--updatemetadata", "write the newest text to all metadata areas once more")
    .action(async (words: string[], options: CheckOptions) => ended(await vgCk(words, options)));
}

/** LVM2's letter for it is that of --force elsewhere. */
function withFile<Options extends { readonly file?: string; readonly f?: string }>(
  options: Options,
): Options {
  return options.f === undefined ? options : { ...options, file: options.f };
}
