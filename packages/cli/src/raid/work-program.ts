import type { Command } from "commander";
import { collect } from "../collect.ts";
import { assemble } from "./assemble.ts";
import type { AssembleOptions } from "./assemble.ts";
import { create } from "./create.ts";
import type { CreateCommandOptions } from "./create-request.ts";
import { withChoice, withWaiting } from "./raid-options.ts";
import type { RaidProgramParts } from "./raid-options.ts";
import { add, check, failOrRemove, grow, work } from "./work-commands.ts";
import type { DeviceOptions, GrowOptions } from "./work-commands.ts";
import {
  ADD_HELP,
  ASSEMBLE_HELP,
  CHECK_HELP,
  CREATE_HELP,
  FAIL_HELP,
  GROW_HELP,
  REBUILD_HELP,
  REMOVE_HELP,
  REPAIR_HELP,
  STOP_HELP,
} from "./work-help.ts";
import type { WorkOptions } from "./work-on-array.ts";

/** The commands of `cev raid` that write. `members`: what the help says of them. */
export function addWorkCommands(raid: Command, parts: RaidProgramParts, members: string): void {
  addCreate(raid, parts);
  const { ended } = parts;

  const working = (name: string, summary: string, help: string): Command =>
    withWork(withChoice(parts.withKeys(parts.subcommand(raid, name))))
      .summary(summary)
      .description(`${summary[0]!.toUpperCase()}${summary.slice(1)}.`)
      .argument("[member...]", members)
      .addHelpText("after", help);

  working("assemble", "bring an array in order, and serve it if asked to", ASSEMBLE_HELP)
    .option("--run", "run it although members are not there that took part the last time")
    .option("--force", "believe what may be out of date, where it cannot start otherwise")
    .option("--socket <path>", "serve it over NBD on this Unix socket")
    .option("--listen <host:port>", "serve it over NBD on this address")
    .option("--control <path>", "where its control socket is to be (default: the socket's path.control)")
    .option("--verbose", "tell who connects to the NBD server")
    .action(async (sources: string[], options: AssembleOptions) => ended(await assemble(sources, options)));

  withWaiting(withDevice(working("add", "add devices to an array, or re-add former members", ADD_HELP)))
    .option("--force", "also a device that carries something else, which is lost")
    .action(async (sources: string[], options: DeviceOptions) => ended(await add(sources, options)));

  withWaiting(withDevice(working("fail", "fail members of an array", FAIL_HELP))).action(
    async (sources: string[], options: DeviceOptions) => ended(await failOrRemove("fail", sources, options)),
  );

  withWaiting(
    withDevice(working("remove", "take spares and failed members out of an array", REMOVE_HELP)),
  ).action(async (sources: string[], options: DeviceOptions) =>
    ended(await failOrRemove("remove", sources, options)),
  );

  withWaiting(working("rebuild", "rebuild what is missing onto spares", REBUILD_HELP)).action(
    async (sources: string[], options: WorkOptions) => ended(await work("rebuild", sources, options)),
  );

  withWaiting(working("check", "compare copies or parity, and count what does not match", CHECK_HELP)).action(
    async (sources: string[], options: WorkOptions) => ended(await check(sources, options)),
  );

  withWaiting(working("repair", "make copies or parity match again", REPAIR_HELP)).action(
    async (sources: string[], options: WorkOptions) => ended(await work("repair", sources, options)),
  );

  withWaiting(working("grow", "use more of each member, or more members", GROW_HELP))
    .option("--size <size>", "what each member gives; max: as much as it can")
    .option("--raid-devices <count>", "so many places for members (RAID1)")
    .option("--force", "also more places than there are devices for")
    .action(async (sources: string[], options: GrowOptions) => ended(await grow(sources, options)));

  withWaiting(
    working("stop", "stop an array that is served, or make one clean that was left dirty", STOP_HELP),
  ).action(async (sources: string[], options: WorkOptions) => ended(await work("stop", sources, options)));
}

function addCreate(raid: Command, { ended, subcommand }: RaidProgramParts): void {
  subcommand(raid, "create")
    .summary("make a new array")
    .description("Make a new array, as mdadm --create does.")
    .argument("<name>", "what the array is called: NAME, or HOST:NAME")
    .argument("<device...>", "the members, then the spares: image files, URIs of NBD, or the word missing")
    .option("--level <level>", "linear, 0, 1, 4, 5, 6 or 10 (must be given)")
    .option("--raid-devices <count>", "how many of the devices are members (default: all but the spares)")
    .option("--spare-devices <count>", "how many of them, the last ones, are spares")
    .option("--chunk <size>", "size of a chunk (default 512K)")
    .option("--layout <layout>", "ls, la, rs, ra… for RAID5 and 6; n2, f2, o2… for RAID10")
    .option("--metadata <version>", "of the superblocks: 0.90, 1.0, 1.1 or 1.2 (default)")
    .option("--bitmap <kind>", "a write-intent bitmap: internal, or none")
    .option("--bitmap-chunk <size>", "what one bit of the bitmap stands for")
    .option("--size <size>", "what each member gives (default: as much as the smallest can)")
    .option("--data-offset <size>", "where the data begins on each member")
    .option("--uuid <uuid>", "the array's UUID (default: a random one)")
    .option("--homehost <host>", "put this host before the name, as mdadm does")
    .option("--assume-clean", "the members agree already: no resync")
    .option("--make-images <size>", "make image files that are not there")
    .option("--force", "also devices that carry something, which is lost")
    .option("--dry-run", "say what would be written, and write nothing")
    .option("--json", "print it as JSON, sizes in bytes")
    .addHelpText("after", CREATE_HELP)
    .action(async (name: string, devices: string[], options: CreateCommandOptions) =>
      ended(await create(name, devices, options)),
    );
}

function withWork(command: Command): Command {
  return command
    .option("--json", "print what came of it as JSON")
    .option("--progress", "show progress also where standard error is no terminal")
    .option("--speed-limit <size>", "bytes per second for a resync, rebuild or check, such as 50M");
}

function withDevice(command: Command): Command {
  return command.option("--device <path>", "the device (repeatable)", collect);
}
