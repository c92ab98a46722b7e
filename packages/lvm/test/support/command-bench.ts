import { Device, Environment, environmentFrom } from "@cev/core";
import { Random } from "@cev/test-kit";
import { runCommand } from "../../src/index.ts";
import type { CommandContext, CommandRequest, CommandResult, VolumeGroup } from "../../src/index.ts";
import { createUuid } from "../../src/disk/uuid.ts";
import { decodeGroup, identifyGroup } from "../../src/model/group.ts";
import { JournalLayer } from "./journal-layer.ts";
import type { Images, JournalEntry } from "./journal-layer.ts";

const real = environmentFrom(globalThis);
const MIB = 1024 * 1024;

/** An environment whose chance follows from a seed. */
export function seededEnvironment(seed: number): Environment {
  const random = new Random(seed);
  return new Environment({
    clock: real.clock,
    later: real.later,
    random: (bytes) => void random.fill(bytes),
    wallClock: { now: () => 1_700_000_000_000 },
  });
}

/** UUIDs that follow from a seed. */
export function newUuidSource(seed: number): () => string {
  const { random } = seededEnvironment(seed);
  return () => createUuid(random);
}

/** Devices in memory that commands run on. */
export class CommandBench {
  readonly journal: JournalEntry[] = [];
  readonly layers: JournalLayer[] = [];
  readonly environment: Environment;
  options: Partial<CommandContext> = {};

  constructor(images: Images, seed = 1) {
    this.environment = seededEnvironment(seed);
    for (const [name, bytes] of images) this.layers.push(new JournalLayer(name, bytes, this.journal));
  }

  /** Devices d0, d1… filled with a pattern: what lay there before. */
  static blank(sizesMib: readonly number[], seed = 1): CommandBench {
    const random = new Random(seed + 1000);
    const images = new Map(
      sizesMib.map((size, index): [string, Uint8Array] => {
        const bytes = new Uint8Array(size * MIB).fill(0xa5);
        for (let at = 0; at < bytes.length; at += 4096) bytes.set(random.bytes(16), at);
        return [`d${index}`, bytes];
      }),
    );
    return new CommandBench(images, seed);
  }

  /** With the group "vg" of extents of 64 KiB on all devices. */
  static async withGroup(sizesMib: readonly number[], seed = 1): Promise<CommandBench> {
    const bench = CommandBench.blank(sizesMib, seed);
    const devices = bench.layers.map(({ name }) => name);
    await bench.run({ command: "vgcreate", group: "vg", devices, extentSize: "64k" });
    return bench;
  }

  images(): Images {
    return new Map(this.layers.map(({ name, bytes }) => [name, bytes.slice()]));
  }

  /** Runs a command as a program does: the devices are opened for it, and closed behind it. */
  async run(request: CommandRequest, options: Partial<CommandContext> = {}): Promise<CommandResult> {
    const devices: Device[] = [];
    try {
      for (const layer of this.layers)
        devices.push(await Device.open(layer, this.environment, { name: layer.name }));
      return await runCommand(
        { environment: this.environment, hostname: "bench", ...this.options, ...options, devices },
        request,
      );
    } finally {
      for (const device of devices) await device.close();
    }
  }

  /** Runs them one after the other. */
  async runAll(...requests: readonly CommandRequest[]): Promise<void> {
    for (const request of requests) await this.run(request);
  }

  /** The group as the devices have it. */
  async group(name?: string): Promise<VolumeGroup> {
    const { text } = await this.run({
      command: "vgcfgbackup",
      ...(name === undefined ? {} : { group: name }),
    });
    return decodeGroup(identifyGroup(text!));
  }

  /** Names and sizes in extents of what users see. */
  async sizes(): Promise<Record<string, unknown>> {
    const { rows } = await this.run({ command: "lvs" });
    return Object.fromEntries(rows.map(({ name, extents }) => [String(name), extents]));
  }
}

/** Some of the devices, with what they hold now; what is done to them there stays there. */
export function benchOf(images: Images, names: readonly string[] = [...images.keys()]): CommandBench {
  return new CommandBench(new Map(names.map((name) => [name, images.get(name)!.slice()])), 77);
}

/** d0 and d1 of the group "vg" with volumes of several kinds, d2 of no group. */
export async function benchInUse(): Promise<CommandBench> {
  const bench = CommandBench.blank([3, 3, 2]);
  await bench.runAll(
    { command: "vgcreate", group: "vg", devices: ["d0", "d1"], extentSize: "64k" },
    { command: "lvcreate", name: "root", extents: 4 },
    { command: "lvcreate", name: "wide", extents: 4, stripes: 2, stripeSize: "4k" },
    { command: "lvcreate", name: "snap", snapshotOf: "root", extents: 2 },
    { command: "lvcreate", name: "none", type: "error", extents: 2 },
  );
  return bench;
}
