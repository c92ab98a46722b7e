import { createHash } from "node:crypto";
import { environmentFrom } from "@cev/core";
import type { Device } from "@cev/core";
import { cryptDriver } from "@cev/crypt";
import { fileDriver } from "@cev/hw-file";
import { lvmDriver } from "@cev/lvm";
import { raidDriver } from "@cev/raid";
import { openImages, partitionsDriver } from "@cev/stack";
import type { Stack } from "@cev/stack";

const drivers = [fileDriver, raidDriver, cryptDriver, lvmDriver, partitionsDriver];

/** Finds out what is in image files, read-only. */
export function openFiles(paths: readonly string[], passphrase?: string): Promise<Stack> {
  const keys = passphrase === undefined ? [] : [Buffer.from(passphrase)];
  return openImages(paths, { drivers, environment: environmentFrom(globalThis), keys });
}

/** Finds out what is on disks in memory, read-only. */
export function openDisks(disks: readonly Device[]): Promise<Stack> {
  return openImages(
    disks.map(({ name, layer }) => ({ name, layer })),
    { drivers, environment: disks[0]!.environment },
  );
}

/** The hash of all that a device of a stack holds; null: it could not be opened. */
export async function hashOf(stack: Stack, name: string): Promise<string | null> {
  if (!stack.devices.some((device) => device.name === name && device.layer !== null)) return null;
  const hash = createHash("sha256");
  const device = await stack.open(name);
  for await (const { data } of device.chunks()) hash.update(data);
  await device.close();
  return hash.digest("hex");
}
