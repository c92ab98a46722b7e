import { isCevError } from "@cev/core";
import type { Environment } from "@cev/core";
import { createArray } from "@cev/raid";
import type { SimulatedWorld } from "@cev/test-kit";
import { openArray } from "../array.ts";
import type { NamedDisk } from "../array.ts";
import { placesOfMember } from "../images/images.ts";
import type { Shape } from "../shape.ts";
import { readAll } from "../work/workload.ts";
import { drive } from "../work/world.ts";
import type { Cut } from "./cut.ts";
import { disksOf } from "./rig.ts";

/** Makes an array of a shape on disks that may hold anything. */
export async function create(
  environment: Environment,
  shape: Shape,
  disks: readonly NamedDisk[],
  force = false,
): Promise<void> {
  const { level, layout, version, chunkSize, memberSize, bitmapChunkSize } = shape;
  const { dataOffset } = placesOfMember(shape);
  if (version === "dm-raid") throw new Error("LVM makes its volumes itself");
  await createArray({
    environment,
    level,
    version,
    force,
    name: "crash",
    members: disks.map(({ name, layer }) => ({ name, layer })),
    size: memberSize,
    ...(level >= 5 ? { layout } : {}),
    ...(chunkSize === 0 ? {} : { chunkSize }),
    ...(dataOffset === 0 ? {} : { dataOffset }),
    ...(bitmapChunkSize === 0 ? { bitmap: "none" } : { bitmap: "internal", bitmapChunkSize }),
  });
}

/**
 * The power went while an array was made: what is there opens, or is refused by name, and the array can be made anew.
 * Returns what is wrong, in words.
 */
export async function verifyCreation(world: SimulatedWorld, cut: Cut): Promise<string[]> {
  const { environment } = world;
  const [shape] = cut.shapes;
  const violations: string[] = [];
  const disks = disksOf(environment, cut.images).slice(0, shape!.memberCount);
  try {
    const { device } = await drive(world, openArray(environment, disks));
    await drive(world, readAll(device));
    await drive(world, device.close());
  } catch (error) {
    if (!isCevError(error)) violations.push(`it does not open: ${(error as Error).stack ?? String(error)}`);
  }
  try {
    await drive(world, create(environment, shape!, disks, true));
    const { device, layer } = await drive(world, openArray(environment, disks));
    if (layer.array.members.some(({ isInSync }) => !isInSync)) violations.push("made anew, it is not whole");
    await drive(world, device.close());
  } catch (error) {
    violations.push(`it cannot be made anew: ${String(error)}`);
  }
  return violations.map((text) => `cut ${cut.index} (${cut.kind}) of a creation: ${text}`);
}
