import { Option } from "commander";
import type { Command } from "commander";
import type { ExitStatus } from "../exit-status.ts";
import { UsageError } from "../usage-error.ts";
import { withKdfLimits } from "./kdf-limits.ts";
import type { KdfOptions } from "./kdf-limits.ts";

/** What the tree of commands is built with. */
export interface CryptProgramParts {
  /** Told how a command ended. */
  readonly ended: (status: ExitStatus) => void;
  /** Makes a subcommand whose errors are told in one place. */
  readonly subcommand: (parent: Command, name: string) => Command;
}

/** Options of every command that has a device. */
export interface DeviceOptions {
  readonly devices?: readonly string[];
  readonly header?: string;
  readonly type?: string;
  readonly passphraseFile?: string;
  readonly json?: boolean;
  readonly batchMode?: boolean;
  readonly degraded?: boolean;
}

/** Options of commands that are given a key that opens the device. */
export interface KeyOptions extends DeviceOptions, KdfOptions {
  readonly keyFile?: string;
  readonly keyfileSize?: string;
  readonly keyfileOffset?: string;
  readonly timeout?: string;
  readonly verifyPassphrase?: boolean;
}

/** Options of commands that set a key. */
export interface NewKeyOptions extends KeyOptions, CostOptions {
  readonly newKeyfile?: string;
  readonly newKeyfileSize?: string;
  readonly newKeyfileOffset?: string;
  readonly newPassphraseFile?: string;
  readonly keyslotCipher?: string;
  readonly keyslotKeySize?: string;
}

/** How much work deriving a key from a new passphrase is to be. */
export interface CostOptions {
  readonly hash?: string;
  readonly pbkdf?: string;
  readonly iterTime?: string;
  readonly pbkdfMemory?: string;
  readonly pbkdfParallel?: string;
  readonly pbkdfForceIterations?: string;
}

/** A command on a device. */
export function deviceCommand(
  crypt: Command,
  { subcommand }: CryptProgramParts,
  name: string,
  { summary, help }: { readonly summary: string; readonly help: string },
): Command {
  return refuseSecrets(subcommand(crypt, name))
    .summary(summary)
    .description(`${summary[0]!.toUpperCase()}${summary.slice(1)}, as cryptsetup ${name} does.`)
    .option("--header <file>", "the header is in this file, apart from the data")
    .option("-M, --type <type>", "luks1 or luks2; by default what is there")
    .option(
      "--devices <device...>",
      "where to look for the device: image files, partitions in them, or a stack file",
    )
    .option("--passphrase-file <file>", "a passphrase: the file without its last newline")
    .option("--json", "print what came of it as JSON")
    .addOption(new Option("--disable-locks", "cev has none").hideHelp())
    .addOption(new Option("--disable-keyring", "cev uses none").hideHelp())
    .addOption(new Option("--disable-external-tokens", "cev has none").hideHelp())
    .addOption(new Option("-v, --verbose", "which keyslot was opened; the rest is told anyway").hideHelp())
    .addHelpText("after", help);
}

/** A command that changes the device. */
export function changeCommand(
  crypt: Command,
  parts: CryptProgramParts,
  name: string,
  texts: { readonly summary: string; readonly help: string },
): Command {
  return deviceCommand(crypt, parts, name, texts)
    .option("-q, --batch-mode", "ask nothing, and tell only what went wrong")
    .option("--degraded", "write although redundancy is missing below");
}

/** A key that opens the device. */
export function withKey(command: Command): Command {
  return withKdfLimits(
    command
      .option(
        "-d, --key-file <file>",
        "a key: the file byte for byte; - is standard input, /dev/fd/3 a descriptor",
      )
      .option("-l, --keyfile-size <bytes>", "take so many bytes of it")
      .option("--keyfile-offset <bytes>", "pass over its first bytes")
      .option("-t, --timeout <seconds>", "how long a prompt waits"),
  );
}

/** A passphrase that is set, where another one opens the device. */
export function withNewKey(command: Command): Command {
  return command
    .option("--new-keyfile <file>", "the new key: the file byte for byte")
    .option("--new-keyfile-size <bytes>", "take so many bytes of it")
    .option("--new-keyfile-offset <bytes>", "pass over its first bytes")
    .option("--new-passphrase-file <file>", "the new passphrase: the file without its last newline");
}

/** How a new passphrase becomes a key. */
export function withCost(command: Command): Command {
  return command
    .option("-h, --hash <hash>", "of pbkdf2, of the splitter, and for a new header of its digest")
    .addOption(
      new Option("--pbkdf <type>", "how a passphrase becomes a key").choices([
        "argon2id",
        "argon2i",
        "pbkdf2",
      ]),
    )
    .option(
      "-i, --iter-time <ms>",
      "how long that takes on this machine (default 2000, luks1 and pbkdf2 the same)",
    )
    .option("--pbkdf-memory <KiB>", "most memory that it takes (default 1048576, or half of the machine's)")
    .option("--pbkdf-parallel <count>", "threads (default: processors, 4 at most)")
    .option("--pbkdf-force-iterations <count>", "so many iterations or passes, without measuring")
    .addOption(new Option("--force-password", "cev judges no passphrases").hideHelp());
}

/** How a keyslot's area is encrypted. */
export function withKeyslotCipher(command: Command): Command {
  return command
    .option(
      "--keyslot-cipher <cipher>",
      "of the keyslot's area (luks2; default aes-xts-plain64 or the data's)",
    )
    .option("--keyslot-key-size <bits>", "of that cipher");
}

/** How passphrases are looked for on command lines, and are not taken there. */
const SECRET_OPTIONS = ["--passphrase", "--password", "--key", "--new-passphrase", "--new-key"];

/** A secret on a command line is seen by everybody on the machine, and stays in the history of the shell. */
function refuseSecrets(command: Command): Command {
  for (const flag of SECRET_OPTIONS) {
    const option = new Option(`${flag} [value]`, "refused").hideHelp().argParser(() => {
      throw new UsageError(`${flag} is no option: ${SECRET_ADVICE}`);
    });
    command.addOption(option);
  }
  return command;
}

/** How a passphrase gets here. */
export const SECRET_ADVICE =
  "no secret stands on a command line, where others can read it; type it at the prompt, pipe it to standard input, or name a file with --key-file";
