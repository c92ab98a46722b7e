import { isCevError } from "@cev/core";
import type { Problem } from "@cev/core";
import type { Stack } from "@cev/stack";
import { Random } from "../../src/random.ts";
import type { KernelGroup } from "../from-kernel.ts";
import { openGroup } from "../open-group.ts";
import { failureOf } from "../../matrix/failure-of.ts";
import type { Damage } from "./damage.ts";
import { metadataRanges } from "./structures.ts";

const PIECE = 4096;
const TIME_MAX_MS = 2000;

/** What a few places of a volume hold while nothing is damaged. */
export interface Glimpse {
  readonly size: number;
  readonly pieces: readonly { readonly at: number; readonly bytes: Uint8Array }[];
}

/** What is wrong with how a damaged group is opened; empty: nothing. */
export async function judgeDamage(
  group: KernelGroup,
  glimpses: ReadonlyMap<string, Glimpse>,
  damage: Damage,
): Promise<string[]> {
  const { images } = group;
  const kept = damage.hits.flatMap((index) =>
    metadataRanges(images[index]!, `pv${index}`).map(({ from, to }) => ({
      index,
      from,
      bytes: images[index]!.slice(from, to),
    })),
  );
  damage.apply(images);
  // The only physical volume of a group has the only copy.
  const hasCopy = damage.scope === "one" && images.length > 1;
  const failures: string[] = [];
  let changeCount = 0;
  const start = performance.now();
  try {
    await using stack = await openGroup(images, new Random(1), { onChange: () => changeCount++ });
    failures.push(...(await contentFailures(stack, group, glimpses, damage, hasCopy)));
    failures.push(...problemFailures(stack.problems, damage));
  } catch (error) {
    // Nothing at all could be made of it.
    if (!isCevError(error) || error.code === "CEV_PROGRAM") failures.push(failureOf(error));
    else if (!damage.isSealed && hasCopy) failures.push(`nothing is opened: ${failureOf(error)}`);
  } finally {
    for (const { index, from, bytes } of kept) images[index]!.set(bytes, from);
  }
  const took = performance.now() - start;
  if (took > TIME_MAX_MS) failures.push(`it took ${took.toFixed(0)} ms`);
  if (changeCount > 0)
    failures.push(`it was opened to be read, and ${changeCount} requests would have changed it`);
  return failures.map((failure) => `${damage.title}: ${failure}`);
}

/** Looks at every volume of the undamaged group that can be read. */
export async function takeGlimpses(group: KernelGroup): Promise<ReadonlyMap<string, Glimpse>> {
  const glimpses = new Map<string, Glimpse>();
  await using stack = await openGroup(group.images, new Random(1));
  for (const name of group.volumes.keys()) {
    if (!isOpen(stack, name)) continue;
    await using device = await stack.open(`vg/${name}`);
    const places = [0, PIECE * Math.floor(device.size / PIECE / 2), device.size - PIECE];
    const pieces = [];
    for (const at of places) pieces.push({ at, bytes: await device.read(at, PIECE) });
    glimpses.set(name, { size: device.size, pieces });
  }
  return glimpses;
}

async function contentFailures(
  stack: Stack,
  { volumes, dependencies }: KernelGroup,
  glimpses: ReadonlyMap<string, Glimpse>,
  { structure, isSealed, hits }: Damage,
  hasCopy: boolean,
): Promise<string[]> {
  const failures: string[] = [];
  // Where checksums are right, what is said is what counts: it may be read as it is told to lie, or not at all.
  const isRight = !isSealed;
  for (const name of isRight ? volumes.keys() : stack.devices.map((one) => one.name.replace(/^vg\//, ""))) {
    const glimpse = glimpses.get(name);
    if (!isOpen(stack, name)) {
      const isHit = structure === "label" && hits.some((index) => dependencies.get(name)?.has(index));
      if (isRight && hasCopy && glimpse !== undefined && !isHit) failures.push(`${name} is not opened`);
      continue;
    }
    try {
      await using device = await stack.open(`vg/${name}`);
      const end = Math.max(0, device.size - PIECE);
      for (const { at, bytes } of isRight
        ? (glimpse?.pieces ?? [])
        : [
            { at: 0, bytes: null },
            { at: end, bytes: null },
          ]) {
        const found = await device.read(at, Math.min(PIECE, device.size));
        if (bytes !== null && Buffer.compare(found, bytes) !== 0)
          failures.push(`${name} reads otherwise at ${at}`);
      }
    } catch (error) {
      if (!isCevError(error) || error.code === "CEV_PROGRAM") failures.push(`${name}: ${failureOf(error)}`);
      else if (isRight && structure !== "label") failures.push(`${name} cannot be read: ${failureOf(error)}`);
    }
  }
  return failures;
}

/** What is damaged is said, with the physical volume; and a bug is never said. */
function problemFailures(problems: readonly Problem[], { hits, isSealed }: Damage): string[] {
  const failures = problems
    .filter(({ code }) => code === "CEV_PROGRAM")
    .map(({ message }) => `a bug is told of: ${message}`);
  if (isSealed) return failures;
  for (const index of hits)
    if (!problems.some(({ message, device }) => device === `pv${index}` || message.includes(`pv${index}`)))
      failures.push(`nothing is said of the damage on pv${index}`);
  return failures;
}

function isOpen(stack: Stack, name: string): boolean {
  return stack.devices.some((device) => device.name === `vg/${name}` && device.layer !== null);
}
