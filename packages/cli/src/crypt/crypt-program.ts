import type { Command } from "commander";
import { addAbsentCommands } from "./absent-commands.ts";
import { CRYPT_HELP } from "./crypt-help.ts";
import type { CryptProgramParts } from "./crypt-options.ts";
import { addHeaderCommands } from "./header-program.ts";
import { addKeyCommands } from "./key-program.ts";

/** `cev crypt …`. */
export function addCryptCommands(program: Command, parts: CryptProgramParts): void {
  const crypt = parts
    .subcommand(program, "crypt")
    .summary("make, look at and change LUKS devices, and their keys")
    .description("Make, look at and change LUKS devices and their keys, in the words of cryptsetup.")
    .addHelpText("after", CRYPT_HELP);
  addHeaderCommands(crypt, parts);
  addKeyCommands(crypt, parts);
  addAbsentCommands(crypt);
}
