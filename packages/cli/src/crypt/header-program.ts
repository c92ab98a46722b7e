import { Argument, Option } from "commander";
import type { Command } from "commander";
import { benchmark } from "./benchmark.ts";
import type { BenchmarkOptions } from "./benchmark.ts";
import { convert } from "./convert.ts";
import { changeCommand, deviceCommand, withCost, withKey, withKeyslotCipher } from "./crypt-options.ts";
import type { CryptProgramParts, KeyOptions } from "./crypt-options.ts";
import { dump } from "./dump.ts";
import type { DumpOptions } from "./dump.ts";
import { format } from "./format.ts";
import type { FormatOptions } from "./format.ts";
import { config, repair, testLuks, uuid } from "./header-commands.ts";
import type { ConfigOptions, UuidOptions } from "./header-commands.ts";
import { headerBackup } from "./backup.ts";
import type { BackupOptions } from "./backup.ts";
import { headerRestore } from "./restore.ts";
import {
  BACKUP_HELP,
  BENCHMARK_HELP,
  CONFIG_HELP,
  CONVERT_HELP,
  DUMP_HELP,
  FORMAT_HELP,
  ISLUKS_HELP,
  REPAIR_HELP,
  RESTORE_HELP,
  TOKEN_HELP,
  UUID_HELP,
} from "./header-help.ts";
import { token } from "./token-command.ts";
import type { TokenAction, TokenOptions } from "./token-command.ts";

const DEVICE = "an image, a partition in one, or with --devices any device in them";

/** The commands about whole headers, and what stands in them. */
export function addHeaderCommands(crypt: Command, parts: CryptProgramParts): void {
  const { ended } = parts;

  withKeyslotCipher(
    withCost(
      withKey(
        changeCommand(crypt, parts, "luksFormat", { summary: "make a LUKS device", help: FORMAT_HELP }),
      ),
    ),
  )
    .argument("<device>", DEVICE)
    .argument("[key-file]", "the key: the same as --key-file")
    .option("-c, --cipher <cipher>", "of the data (default aes-xts-plain64)")
    .option("-s, --key-size <bits>", "of the volume key (default 512 for xts, 256 else)")
    .option("-S, --key-slot <number>", "of the first passphrase (default 0)")
    .option("--sector-size <bytes>", "of encryption: 512, 1024, 2048 or 4096 (luks2)")
    .option("--label <text>", "a label (luks2)")
    .option("--subsystem <text>", "a second label (luks2)")
    .option("--uuid <uuid>", "its UUID (default: a random one)")
    .option("-o, --offset <sectors>", "where the data begins, in sectors of 512 bytes")
    .option("--align-payload <sectors>", "the data begins at a multiple of this")
    .option("--luks2-metadata-size <size>", "of one copy of the header: 16k to 4M")
    .option("--luks2-keyslots-size <size>", "of the area for keyslots")
    .option("--volume-key-file <file>", "the volume key (default: a random one)")
    .addOption(new Option("--master-key-file <file>", "the same").hideHelp())
    .option("--make-images <size>", "make the image file if it is not there")
    .addOption(new Option("-y, --verify-passphrase", "done anyway").hideHelp())
    .addOption(new Option("--use-random", "one source of randomness serves all").hideHelp())
    .addOption(new Option("--use-urandom", "one source of randomness serves all").hideHelp())
    .action(async (word: string, key: string | undefined, options: FormatOptions) =>
      ended(await format(word, key, options)),
    );

  withKey(deviceCommand(crypt, parts, "luksDump", { summary: "show what a header says", help: DUMP_HELP }))
    .argument("<device>", DEVICE)
    .option("--dump-json-metadata", "print the JSON of a luks2 header as it is")
    .option("--dump-volume-key", "print the volume key instead, after a question")
    .addOption(new Option("--dump-master-key", "the same").hideHelp())
    .option("--volume-key-file <file>", "with --dump-volume-key: into this new file")
    .addOption(new Option("--master-key-file <file>", "the same").hideHelp())
    .option("--unbound", "with --key-slot: the key of this keyslot, which opens nothing here")
    .option("-S, --key-slot <number>", "only this keyslot")
    .option("-q, --batch-mode", "ask nothing")
    .action(async (word: string, options: DumpOptions) => ended(await dump(word, options)));

  deviceCommand(crypt, parts, "isLuks", { summary: "tell whether a device is LUKS", help: ISLUKS_HELP })
    .argument("<device>", DEVICE)
    .action(async (word: string, options: KeyOptions) => ended(await testLuks(word, options)));

  changeCommand(crypt, parts, "luksUUID", { summary: "print or change the UUID", help: UUID_HELP })
    .argument("<device>", DEVICE)
    .option("--uuid <uuid>", "the new one")
    .action(async (word: string, options: UuidOptions) => ended(await uuid(word, options)));

  changeCommand(crypt, parts, "config", {
    summary: "change label, flags, priority of keyslots",
    help: CONFIG_HELP,
  })
    .alias("luksConfig")
    .argument("<device>", DEVICE)
    .option("--label <text>", "the label; empty takes it away")
    .option("--subsystem <text>", "the second label; empty takes it away")
    .addOption(new Option("--priority <priority>", "of the keyslot").choices(["prefer", "normal", "ignore"]))
    .option("-S, --key-slot <number>", "the keyslot")
    .option("--flags <list>", "kept for opening, such as allow-discards; none takes all away")
    .action(async (word: string, options: ConfigOptions) => ended(await config(word, options)));

  changeCommand(crypt, parts, "convert", {
    summary: "turn luks1 into luks2 or back",
    help: CONVERT_HELP,
  })
    .argument("<device>", DEVICE)
    .action(async (word: string, options: KeyOptions) => ended(await convert(word, options)));

  changeCommand(crypt, parts, "repair", { summary: "repair a damaged header", help: REPAIR_HELP })
    .argument("<device>", DEVICE)
    .option("--uuid <uuid>", "which device this is, where the two copies are of different ones (luks2)")
    .action(async (word: string, options: UuidOptions) => ended(await repair(word, options)));

  deviceCommand(crypt, parts, "luksHeaderBackup", { summary: "save the header to a file", help: BACKUP_HELP })
    .argument("<device>", DEVICE)
    .requiredOption("--header-backup-file <file>", "the file, which must not be there yet")
    .option("-q, --batch-mode", "tell only what went wrong")
    .action(async (word: string, options: BackupOptions) => ended(await headerBackup(word, options)));

  changeCommand(crypt, parts, "luksHeaderRestore", {
    summary: "put a saved header back",
    help: RESTORE_HELP,
  })
    .argument("<device>", DEVICE)
    .requiredOption("--header-backup-file <file>", "the file")
    .action(async (word: string, options: BackupOptions) => ended(await headerRestore(word, options)));

  changeCommand(crypt, parts, "token", { summary: "add, remove, import or export tokens", help: TOKEN_HELP })
    .addArgument(
      new Argument("<action>", "what to do").choices(["add", "remove", "import", "export", "unassign"]),
    )
    .argument("<device>", DEVICE)
    .option("--token-id <number>", "the token's number (default for a new one: the first free)")
    .option("--token-replace", "in place of the one with that number")
    .option("-S, --key-slot <number>", "the keyslot that it stands for")
    .option("--key-description <text>", "of add: under which the kernel's keyring has the passphrase")
    .option("--json-file <file>", "of import and export; by default standard input or output")
    .option("--unbound", "of add: also for keyslots that open nothing here")
    .action(async (action: TokenAction, word: string, options: TokenOptions) =>
      ended(await token(action, word, options)),
    );

  withCost(parts.subcommand(crypt, "benchmark"))
    .summary("measure ciphers and key derivation")
    .description(
      "Measure what ciphers and key derivation cost here, in memory, as cryptsetup benchmark does.",
    )
    .option("-c, --cipher <cipher>", "only this one")
    .option("-s, --key-size <bits>", "of its key (default 256)")
    .option("--json", "print it as JSON: bytes and iterations per second")
    .addHelpText("after", BENCHMARK_HELP)
    .action(async (options: BenchmarkOptions) => ended(await benchmark(options)));
}
