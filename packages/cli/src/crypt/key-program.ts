import { Option } from "commander";
import type { Command } from "commander";
import {
  changeCommand,
  deviceCommand,
  withCost,
  withKey,
  withKeyslotCipher,
  withNewKey,
} from "./crypt-options.ts";
import type { CryptProgramParts, KeyOptions } from "./crypt-options.ts";
import { addKey, changeKey, convertKey, erase, killSlot, removeKey } from "./key-commands.ts";
import type { AddKeyOptions, ChangeKeyOptions } from "./key-commands.ts";
import {
  ADDKEY_HELP,
  CHANGEKEY_HELP,
  CONVERTKEY_HELP,
  ERASE_HELP,
  KILLSLOT_HELP,
  OPEN_HELP,
  REMOVEKEY_HELP,
} from "./key-help.ts";
import { openDevice } from "./open.ts";
import type { OpenOptions } from "./open.ts";

const DEVICE = "an image, a partition in one, or with --devices any device in them";
const KEY_WORD = "[key-file]";

/** The commands about passphrases and keys. */
export function addKeyCommands(crypt: Command, parts: CryptProgramParts): void {
  const { ended } = parts;

  withKey(deviceCommand(crypt, parts, "open", { summary: "test a passphrase", help: OPEN_HELP }))
    .alias("luksOpen")
    .description(
      "Test a passphrase. Nothing is mapped without a kernel: cev serve and cev copy open devices.",
    )
    .argument("<device>", DEVICE)
    .argument("[name]", "taken for the sake of scripts")
    .option("--test-passphrase", "test whether a passphrase opens the device")
    .option("-S, --key-slot <number>", "only this keyslot")
    .option("--unbound", "also keyslots that open nothing here")
    .option("-T, --tries <count>", "how often a person may try (default 3)")
    .action(async (word: string, name: string | undefined, options: OpenOptions) =>
      ended(await openDevice(word, name, options)),
    );

  withKeyslotCipher(
    withCost(
      withNewKey(
        withKey(
          changeCommand(crypt, parts, "luksAddKey", { summary: "add a passphrase", help: ADDKEY_HELP }),
        ),
      ),
    ),
  )
    .argument("<device>", DEVICE)
    .argument(KEY_WORD, "the new key: the same as --new-keyfile")
    .option("-S, --key-slot <number>", "the new keyslot; with --new-key-slot the one that opens")
    .option("--new-key-slot <number>", "the new keyslot")
    .option("--volume-key-file <file>", "the volume key itself in place of a passphrase")
    .addOption(new Option("--master-key-file <file>", "the same").hideHelp())
    .option("--unbound", "a key of its own, which opens nothing here (luks2)")
    .option("-s, --key-size <bits>", "of a key of its own")
    .option("-y, --verify-passphrase", "ask for the existing one twice, too")
    .action(async (word: string, key: string | undefined, options: AddKeyOptions) =>
      ended(await addKey(word, key, options)),
    );

  withKeyslotCipher(
    withCost(
      withNewKey(
        withKey(
          changeCommand(crypt, parts, "luksChangeKey", {
            summary: "change a passphrase",
            help: CHANGEKEY_HELP,
          }),
        ),
      ),
    ),
  )
    .argument("<device>", DEVICE)
    .argument(KEY_WORD, "the new key: the same as --new-keyfile")
    .option("-S, --key-slot <number>", "change this keyslot, which keeps its number")
    .option("-y, --verify-passphrase", "ask for the existing one twice, too")
    .action(async (word: string, key: string | undefined, options: ChangeKeyOptions) =>
      ended(await changeKey(word, key, options)),
    );

  withKeyslotCipher(
    withCost(
      withKey(
        changeCommand(crypt, parts, "luksConvertKey", {
          summary: "derive the key of a keyslot in another way",
          help: CONVERTKEY_HELP,
        }),
      ),
    ),
  )
    .argument("<device>", DEVICE)
    .option("-S, --key-slot <number>", "this keyslot")
    .action(async (word: string, options: ChangeKeyOptions) => ended(await convertKey(word, options)));

  withKey(
    changeCommand(crypt, parts, "luksRemoveKey", {
      summary: "remove the keyslot of a passphrase",
      help: REMOVEKEY_HELP,
    }),
  )
    .argument("<device>", DEVICE)
    .argument(KEY_WORD, "the key to be removed: the same as --key-file")
    .option("-y, --verify-passphrase", "ask twice")
    .action(async (word: string, key: string | undefined, options: KeyOptions) =>
      ended(await removeKey(word, key, options)),
    );

  withKey(
    changeCommand(crypt, parts, "luksKillSlot", {
      summary: "remove a keyslot by its number",
      help: KILLSLOT_HELP,
    }),
  )
    .argument("<device>", DEVICE)
    .argument("<keyslot>", "its number")
    .option("-y, --verify-passphrase", "ask twice")
    .action(async (word: string, slot: string, options: KeyOptions) =>
      ended(await killSlot(word, slot, options)),
    );

  changeCommand(crypt, parts, "erase", { summary: "erase all keyslots", help: ERASE_HELP })
    .alias("luksErase")
    .argument("<device>", DEVICE)
    .action(async (word: string, options: KeyOptions) => ended(await erase(word, options)));
}
