import { Device, environmentFrom, isCevError } from "@cev/core";
import type { Layer } from "@cev/core";
import { runCommand } from "@cev/lvm";
import type { CommandRequest, CommandResult } from "@cev/lvm";
import { mergeSnapshot } from "@cev/snapshot";
import { ImageLayer } from "../../raid-matrix/image-layer.ts";
import { Random } from "../../src/random.ts";
import { openGroup } from "../open-group.ts";
import { readAll } from "../random-volumes.ts";

export const environment = environmentFrom(globalThis);

/** A group as it is found on disks. */
export interface GroupState {
  /** Groups and volumes as `vgs` and `lvs` list them, without what grows with every change. */
  readonly listing: string;
  /** By name, "vg/data": what a volume holds; null: it cannot be read. */
  readonly contents: ReadonlyMap<string, Uint8Array | null>;
}

/** Runs a command on layers, as cev's users do. */
export async function command(layers: readonly Layer[], request: CommandRequest): Promise<CommandResult> {
  const devices = await Promise.all(
    layers.map((layer, index) => Device.open(layer, environment, { name: `pv${index}` })),
  );
  try {
    return await runCommand({ environment, devices, hostname: "tests", mergeStore: mergeSnapshot }, request);
  } finally {
    for (const device of devices) await device.close();
  }
}

/** The same on images. */
export function commandOn(images: readonly Uint8Array[], request: CommandRequest): Promise<CommandResult> {
  return command(
    images.map((bytes) => new ImageLayer(bytes)),
    request,
  );
}

/** Looks at what is on disks. Throws where cev cannot tell. */
export async function lookAt(images: readonly Uint8Array[]): Promise<GroupState> {
  const rows = [];
  for (const request of [{ command: "vgs" }, { command: "lvs", all: true }] as const)
    for (const row of (await commandOn(images, request)).rows) rows.push({ ...row, seqno: null });
  const contents = new Map<string, Uint8Array | null>();
  await using stack = await openGroup(images, new Random(1));
  for (const { name } of stack.devices) if (name.includes("/")) contents.set(name, await readDevice(name));
  return { listing: rows.map((row) => JSON.stringify(row)).join("\n"), contents };

  async function readDevice(name: string): Promise<Uint8Array | null> {
    try {
      await using device = await stack.open(name);
      return await readAll(device);
    } catch (error) {
      if (isCevError(error) && error.code !== "CEV_PROGRAM") return null;
      throw error;
    }
  }
}
