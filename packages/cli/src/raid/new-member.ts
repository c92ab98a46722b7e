import { resolve } from "node:path";
import { CevError, closeTree, environmentFrom, openTree } from "@cev/core";
import type { Environment, Layer } from "@cev/core";
import { wipeSuperblocks } from "@cev/raid";
import { openImages, openStack } from "@cev/stack";
import { standardDrivers } from "../standard-drivers.ts";
import { RAID_DRIVER } from "./find-members.ts";
import { SIGNATURE_REACH, knownContent } from "./known-contents.ts";

const BLOCK = 4096;

/** A device that is to become part of an array. */
export interface NewMember {
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

/** Looks at an image that something is to be written to. */
export async function occupancyOf(path: string): Promise<Occupancy> {
  const stack = await openImages([path], {
    environment: environmentFrom(globalThis),
    drivers: standardDrivers(),
    isReadOnly: true,
  });
  try {
    const [image] = stack.devices;
    const { content } = image!;
    const problem = stack.problems.find((one) => one.device === image!.name && one.code !== "CEV_NOT_FOUND");
    const uuid = content?.driver === RAID_DRIVER ? content.details["arrayUuid"] : null;
    const device = await stack.open(image!.name);
    const head = await device.read(0, Math.min(device.size, roundUp(SIGNATURE_REACH)));
    return {
      summary: content?.summary ?? problem?.message ?? knownContent(head),
      arrayUuid: typeof uuid === "string" ? uuid : null,
    };
  } finally {
    await stack.close();
  }
}

/**
 * An image that is to become a member, not open yet. Refuses one that carries something else, unless that is forced: then
 * it loses the superblocks of another array.
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
  const stack = await openStack(
    { devices: { [path]: { driver: "@cev/hw-file", path } } },
    { environment, drivers: standardDrivers(), isFound: true },
  );
  const layer = stack.find(path).layer!;
  if (summary !== null && !isOfThisArray) {
    await openTree(layer);
    await wipeSuperblocks({ name: path, layer }, environment).finally(() => closeTree(layer));
  }
  return { path: resolve(path), layer, isOfThisArray };
}

const roundUp = (length: number): number => Math.ceil(length / BLOCK) * BLOCK;

/** Something is there already that would be lost. */
export function occupied(path: string, summary: string): CevError {
  return new CevError("CEV_BUSY", `it carries something already: ${summary}`, {
    source: path,
    hint: "choose another device, or add --force to overwrite it",
  });
}
