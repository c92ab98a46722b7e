import { CevError, closeTree, environmentFrom, openTree } from "@cev/core";
import type { Environment, Layer, Problem } from "@cev/core";
import { wipeSuperblocks } from "@cev/raid";
import { openImages, openStack, pickEntries } from "@cev/stack";
import type { Stack, StackDescription } from "@cev/stack";
import { standardDrivers } from "../standard-drivers.ts";
import { RAID_DRIVER } from "./find-members.ts";
import { SIGNATURE_REACH, knownContent } from "./known-contents.ts";
import { splitPath } from "./member-path.ts";
import { placeOf } from "../place.ts";

const BLOCK = 4096;

/** A device that is to become part of an array. Dispose of it once the array has opened the layer, or has not. */
export interface NewMember extends AsyncDisposable {
  /** As `cev inspect` names it where it is alone. */
  readonly name: string;
  /** See `placeOf`. */
  readonly path: string;
  readonly layer: Layer;
  /** It was a member before: it may be re-added. */
  readonly isOfThisArray: boolean;
}

/** What is known of a device before anything is written to it. */
export interface Occupancy {
  /** In a few words; null: nothing known was found in it. */
  readonly summary: string | null;
  /** Of the array it says it belongs to. */
  readonly arrayUuid: string | null;
}

/** Looks at a device that something is to be written to: an image, or a partition in one. */
export async function occupancyOf(path: string): Promise<Occupancy> {
  await using found = await findDevice(path);
  const { stack, name } = found;
  const { content } = stack.find(name);
  const isContent = ({ device, severity, code }: Problem): boolean =>
    device === name && severity === "error" && code !== "CEV_NOT_FOUND";
  const problem = stack.problems.find(isContent);
  const uuid = content?.driver === RAID_DRIVER ? content.details["arrayUuid"] : null;
  const device = await stack.open(name);
  const head = await device.read(0, Math.min(device.size, roundUp(SIGNATURE_REACH)));
  return {
    summary: content?.summary ?? problem?.message ?? knownContent(head),
    arrayUuid: typeof uuid === "string" ? uuid : null,
  };
}

/**
 * A device that is to become a member, not open yet: an image, or a partition in one. Refuses one that carries something
 * else, unless that is forced: then it loses the superblocks of another array.
 */
export async function openNewMember(
  path: string,
  arrayUuid: string,
  isForced: boolean,
  environment: Environment,
): Promise<NewMember> {
  const { summary, arrayUuid: own } = await occupancyOf(path);
  const isOfThisArray = own === arrayUuid;
  if (summary !== null && !isOfThisArray && !isForced) throw occupied(path, summary);
  const { name, description } = await describe(path);
  const options = { environment, drivers: standardDrivers(), only: [name], isFound: true };
  const stack = await openStack(description, options);
  const layer = stack.find(name).layer!;
  if (summary !== null && !isOfThisArray) {
    try {
      await openTree(layer);
      await wipeSuperblocks({ name, layer }, environment).finally(() => closeTree(layer));
    } catch (error) {
      await stack.close().catch(() => undefined);
      throw error;
    }
  }
  // The stack has opened what a partition lies in, for itself.
  return { name, path: placeOf(path), layer, isOfThisArray, [Symbol.asyncDispose]: () => stack.close() };
}

async function describe(path: string): Promise<{ name: string; description: StackDescription }> {
  await using found = await findDevice(path);
  const { stack, name } = found;
  return { name, description: pickEntries(stack.describe(), [name]) };
}

/** Finds a device by its path, read-only. */
async function findDevice(path: string): Promise<FoundDevice> {
  const { image, inner } = splitPath(path);
  const stack = await openImages([image], {
    environment: environmentFrom(globalThis),
    drivers: standardDrivers(),
    isReadOnly: true,
  });
  const name = `${stack.devices[0]!.name}${inner}`;
  try {
    stack.find(name);
  } catch (error) {
    await stack.close();
    throw error;
  }
  return { stack, name, [Symbol.asyncDispose]: () => stack.close() };
}

interface FoundDevice extends AsyncDisposable {
  readonly stack: Stack;
  readonly name: string;
}

const roundUp = (length: number): number => Math.ceil(length / BLOCK) * BLOCK;

/** Something is there already that would be lost. */
export function occupied(path: string, summary: string): CevError {
  return new CevError("CEV_BUSY", `it carries something already: ${summary}`, {
    source: path,
    hint: "choose another device, or add --force to overwrite it",
  });
}
