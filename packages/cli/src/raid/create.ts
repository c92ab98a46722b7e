import { unlink } from "node:fs/promises";
import { CevError, environmentFrom } from "@cev/core";
import type { NamedLayer } from "@cev/core";
import { createArray, planCreate } from "@cev/raid";
import type { CreateDevice, CreateOptions, CreatePlan } from "@cev/raid";
import { openStack } from "@cev/stack";
import type { DeviceEntry, Stack } from "@cev/stack";
import { ExitStatus } from "../exit-status.ts";
import { complain, say } from "../output.ts";
import { entryOf, isThere } from "../place.ts";
import { standardDrivers } from "../standard-drivers.ts";
import { createRequest } from "./create-request.ts";
import type { CreateCommandOptions, CreateRequest } from "./create-request.ts";
import { createJson, createText } from "./create-text.ts";
import { occupancyOf, occupied } from "./new-member.ts";

/** `cev raid create`: a new array on devices that are there, or in image files that are made for it. */
export async function create(
  name: string,
  devices: readonly string[],
  options: CreateCommandOptions,
): Promise<ExitStatus> {
  const request = createRequest(name, devices, options);
  const paths = [...request.members, ...request.spares].filter((path) => path !== null);
  const absent = paths.filter((path) => !isThere(path));
  if (absent.length > 0 && request.imageSize === null) throw absentImage(absent[0]!);
  for (const path of paths) if (!absent.includes(path)) await refuseOccupied(path, options.force === true);
  // Nothing but zeroes everywhere: whatever the level, the copies and the parity of that are right.
  const isAllNew = absent.length === paths.length;
  const settings = { ...request.settings, assumeClean: request.settings.assumeClean === true || isAllNew };
  const plan =
    options.dryRun === true
      ? await planOnly(request, absent, settings, options.force === true)
      : await make(request, absent, settings, options.force === true);
  for (const warning of plan.warnings) complain(`warning: ${warning}`);
  const isDryRun = options.dryRun === true;
  if (options.json === true) say(JSON.stringify({ ...createJson(plan), isDryRun, problems: [] }, null, 2));
  else for (const line of createText(plan, paths, isDryRun)) say(line);
  return ExitStatus.done;
}

type Settings = CreateRequest["settings"];

/** Nothing is made or written. */
async function planOnly(
  request: CreateRequest,
  absent: readonly string[],
  settings: Settings,
  isForced: boolean,
): Promise<CreatePlan> {
  const present = [...request.members, ...request.spares].filter(
    (path) => path !== null && !absent.includes(path),
  );
  await using stack = await openFiles(present, [], request, true);
  const deviceOf = (path: string): CreateDevice => {
    if (absent.includes(path)) return { name: path, size: request.imageSize! };
    const { size, logicalBlockSize } = stack.find(path).layer!.limits;
    return { name: path, size, logicalBlockSize };
  };
  const options: CreateOptions = {
    ...settings,
    members: request.members.map((path) => (path === null ? null : deviceOf(path))),
    spares: request.spares.map(deviceOf),
    force: isForced,
  };
  return planCreate(options, stack.environment);
}

async function make(
  request: CreateRequest,
  absent: readonly string[],
  settings: Settings,
  isForced: boolean,
): Promise<CreatePlan> {
  // What cannot be made is found out before the first file is.
  await planOnly(request, absent, settings, isForced);
  const paths = [...request.members, ...request.spares].filter((path) => path !== null);
  try {
    await using stack = await openFiles(paths, absent, request, false);
    const layers = new Map<string, NamedLayer>();
    for (const path of paths) {
      await stack.open(path);
      layers.set(path, { name: path, layer: stack.find(path).layer! });
    }
    return await createArray({
      ...settings,
      environment: stack.environment,
      members: request.members.map((path) => (path === null ? null : layers.get(path)!)),
      spares: request.spares.map((path) => layers.get(path)!),
      force: isForced,
    });
  } catch (error) {
    for (const path of absent) await unlink(path).catch(() => undefined);
    throw error;
  }
}

function openFiles(
  paths: readonly (string | null)[],
  absent: readonly string[],
  { imageSize }: CreateRequest,
  isReadOnly: boolean,
): Promise<Stack> {
  const devices: Record<string, DeviceEntry> = {};
  for (const path of paths) {
    if (path === null) continue;
    const making = absent.includes(path) ? { create: true, size: imageSize! } : {};
    devices[path] = { ...entryOf(path), ...making };
  }
  const environment = environmentFrom(globalThis);
  return openStack({ devices }, { environment, drivers: standardDrivers(), isReadOnly, isFound: true });
}

async function refuseOccupied(path: string, isForced: boolean): Promise<void> {
  if (isForced) return;
  const { summary } = await occupancyOf(path);
  if (summary !== null) throw occupied(path, summary);
}

function absentImage(path: string): CevError {
  return new CevError("CEV_NOT_FOUND", "there is no such file", {
    source: path,
    hint: "check the path, add --make-images SIZE to have it made, or name a place to be left empty: missing",
  });
}
