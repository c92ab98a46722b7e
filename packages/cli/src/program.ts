import { readFileSync } from "node:fs";
import { Command } from "commander";
import { collect } from "./collect.ts";
import type { ExitStatus } from "./exit-status.ts";
import { addControlCommands } from "./control/control-program.ts";
import { addConformanceCommand } from "./conformance-program.ts";
import { copy } from "./copy.ts";
import type { CopyOptions } from "./copy.ts";
import { addCryptCommands } from "./crypt/crypt-program.ts";
import { refuseEmptyWords } from "./empty-words.ts";
import { COPY_HELP, INSPECT_HELP, PROGRAM_HELP, SCHEMA_HELP, SERVE_HELP } from "./help.ts";
import { inspect } from "./inspect.ts";
import type { InspectOptions } from "./inspect.ts";
import { addLvmCommands } from "./lvm/lvm-program.ts";
import { withLocks } from "./open-options.ts";
import { addRaidCommands } from "./raid/raid-program.ts";
import { schema } from "./schema.ts";
import type { SchemaOptions } from "./schema.ts";
import { withServer } from "./serve-options.ts";
import { serve } from "./serve.ts";
import type { ServeOptions } from "./serve.ts";

/** Told how a command ended. */
export type Ended = (status: ExitStatus) => void;

/** The command line: names, options, help. */
export function buildProgram(ended: Ended): Command {
  const program = quiet(new Command("cev"))
    .description("Open, copy and serve Linux storage (md RAID, LUKS, LVM2, partitions) without root.")
    .version(versionText(), "-V, --version", "print the version")
    .helpOption("-h, --help", "print this help")
    .addHelpText("after", PROGRAM_HELP)
    .hook("preAction", (_program, command) => refuseEmptyWords(command));

  withOpening(
    quiet(program.command("inspect"))
      .summary("show what is in disk images")
      .description(
        "Show what is in disk images, as a tree. Opens everything read-only: not one byte is written.",
      )
      .argument("<source...>", "image files, URIs of NBD, or one stack file (.yaml, .yml, .json)")
      .option("--json", "print devices and problems as JSON"),
  )
    .addHelpText("after", INSPECT_HELP)
    .action(async (sources: string[], options: InspectOptions) => ended(await inspect(sources, options)));

  withOpening(
    quiet(program.command("copy"))
      .summary("copy a device's content to a file, or a file into a device")
      .description("Copy a device's content to a file or standard output, or from there into a device.")
      .argument("<source...>", "image files, URIs of NBD, or one stack file (.yaml, .yml, .json)")
      .requiredOption("--device <name>", "the device, as `cev inspect` names it")
      .option("--to <file>", "read the device into this file; - is standard output")
      .option("--from <file>", "write this file into the device; - is standard input")
      .option(
        "--degraded",
        "write although redundancy is missing, and go on without sources that are not there",
      )
      .option("--salvage", "with --to: go on where it cannot be read, and list those ranges")
      .option("--progress", "show progress also where standard error is no terminal")
      .option("--json", "print what came of it as JSON"),
  )
    .addHelpText("after", COPY_HELP)
    .action(async (sources: string[], options: CopyOptions) => ended(await copy(sources, options)));

  const serving = withOpening(
    quiet(program.command("serve"))
      .summary("serve devices over NBD")
      .description("Serve devices over NBD (network block device), on a Unix socket or a TCP port.")
      .argument("<source...>", "image files, URIs of NBD, or one stack file (.yaml, .yml, .json)")
      .option("--device <name>", "a device to serve, as `cev inspect` names it (repeatable)", collect)
      .option("--default-export <name>", "the device for clients that name none")
      .option("--description <text>", "what lists of exports say of a single device")
      .option("--read-only", "serve, and open the images, for reading alone")
      .option(
        "--degraded",
        "write although redundancy is missing, and go on without sources that are not there",
      )
      .option("--verbose", "tell who connects to what, and what they did when they leave")
      .option("--trace", "tell of each request on standard error")
      .option("--control <path>", "take commands of cev control on this Unix socket"),
  );
  withServer(serving)
    .addHelpText("after", SERVE_HELP)
    .action(async (sources: string[], options: ServeOptions) => ended(await serve(sources, options)));

  const parts = {
    ended,
    subcommand: (parent: Command, name: string): Command => quiet(parent.command(name)),
    withKeys,
  };
  addRaidCommands(program, parts);
  addLvmCommands(program, parts);
  addCryptCommands(program, parts);
  addConformanceCommand(program, parts);
  addControlCommands(program, parts);

  quiet(program.command("schema"))
    .summary("print the JSON Schema of stack files, or the options of drivers")
    .description(
      "Print the JSON Schema of stack files, for editors; or what options drivers take. With a stack file, also of the drivers that it names: they are imported, which runs their code.",
    )
    .argument("[stackfile]", "a stack file (.yaml, .yml, .json)")
    .option("--driver <name>", "only the options of this driver: a known one, a package, or a path")
    .option("--markdown", "print tables of options in Markdown")
    .addHelpText("after", SCHEMA_HELP)
    .action(async (path: string | undefined, options: SchemaOptions) => ended(await schema(path, options)));

  return program;
}

/** Errors come back as exceptions: they are told in one place. */
function quiet(command: Command): Command {
  return command
    .exitOverride()
    .showSuggestionAfterError(true)
    .configureOutput({ outputError: () => undefined });
}

function withKeys(command: Command): Command {
  return command
    .option(
      "--passphrase-file <file>",
      "a passphrase: the file without its last newline (repeatable)",
      collect,
    )
    .option("--key-file <file>", "a key: the file, byte for byte (repeatable)", collect);
}

/** Keys, and what is to be known of encrypted devices. */
function withOpening(command: Command): Command {
  return withLocks(withKeys(command))
    .option("--keyfile-size <bytes>", "take so many bytes of key files")
    .option("--keyfile-offset <bytes>", "pass over the first bytes of key files");
}

function versionText(): string {
  const manifest = readFileSync(new URL("../package.json", import.meta.url), "utf8");
  return (JSON.parse(manifest) as { readonly version: string }).version;
}
