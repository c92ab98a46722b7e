import { dirname, resolve } from "node:path";
import { CevError, environmentFrom, isCevError } from "@cev/core";
import type { Device, Json, Problem } from "@cev/core";
import { RaidLayer, assemble } from "@cev/raid";
import type { Superblock } from "@cev/raid";
import { isStackFilePath, openStack, pickEntries } from "@cev/stack";
import type { DeviceEntry, Stack, StackDescription, StackDevice } from "@cev/stack";
import { readKeys } from "../sources.ts";
import type { KeyOptions } from "../sources.ts";
import { standardDrivers } from "../standard-drivers.ts";
import { WorkLine } from "../work-line.ts";
import { RAID_DRIVER, arrayOver, findMembers } from "./find-members.ts";
import type { FoundMember } from "./find-members.ts";

/** Which array is meant, where members of several were given. */
export interface ArrayChoice extends KeyOptions {
  readonly uuid?: string;
  readonly name?: string;
}

/** How an array is opened. */
export interface OpenArrayRequest extends ArrayChoice {
  readonly sources: readonly string[];
  readonly isReadOnly: boolean;
  /** Write although redundancy is missing. */
  readonly canWriteDegraded: boolean;
  /** Paths of members that are to be left alone, though they are among the sources. */
  readonly excluded?: readonly string[];
  /** Throws where these members are not to be opened. */
  readonly checkMembers?: CheckMembers | undefined;
  /** Further options of the driver. */
  readonly driverOptions?: { readonly [name: string]: Json };
}

/** A member as it was when the array was looked at, before it was opened. */
export interface MemberFacts {
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  readonly superblock: Superblock;
}

/** Looks at members before anything is written to them. */
export type CheckMembers = (members: readonly MemberFacts[]) => void;

/** An array that was put together from its members. Close its stack. */
export interface OpenArray {
  readonly stack: Stack;
  /** The array in the stack; its name begins with "md/". */
  readonly record: StackDevice;
  /** The array for requests. */
  readonly device: Device;
  /** Null where it is open for reading alone. */
  readonly layer: RaidLayer | null;
  readonly members: readonly MemberFacts[];
  /** What is wrong with sources in which no member was found. */
  readonly problems: readonly Problem[];
  /** The devices that the members are and stand on, and the array. */
  readonly description: StackDescription;
}

/** Looks for the members of an array, and opens it. Nothing beside it is opened for writing. */
export async function openArray(request: OpenArrayRequest): Promise<OpenArray> {
  const found = await findMembers(request.sources, request);
  let members: MemberFacts[];
  let description: StackDescription;
  let name: string;
  try {
    const { excluded = [] } = request;
    const isWanted = ({ path }: FoundMember): boolean => path === null || !excluded.includes(path);
    const chosen = chooseArray(found.members.filter(isWanted), request.sources, request);
    const { arrayUuid } = chosen[0]!.superblock;
    refuseInUse(
      found.members.filter(({ superblock }) => superblock.arrayUuid === arrayUuid),
      excluded,
    );
    members = chosen.map(({ name, target, superblock }) => ({ name, size: target.size, superblock }));
    request.checkMembers?.(members);
    const names = members.map((one) => one.name);
    name = arrayOver(found.stack, names[0]!)?.name ?? arrayDeviceName(members[0]!.superblock);
    const known = found.stack.describe();
    const entry = { ...settingsOf(known.devices[name]), members: names, ...request.driverOptions };
    description = { devices: { ...pickEntries(known, names).devices, [name]: entry } };
  } finally {
    await found.stack.close();
  }
  const [source = "."] = request.sources;
  using line = new WorkLine();
  const stack = await openStack(description, {
    environment: environmentFrom(globalThis),
    drivers: standardDrivers(),
    keys: await readKeys(request),
    isReadOnly: request.isReadOnly,
    canWriteDegraded: request.canWriteDegraded,
    only: [name],
    directory: isStackFilePath(source) ? dirname(resolve(source)) : ".",
    source: "the members",
    isFound: true,
    onWork: (what) => line.begin(what),
  }).catch(explainBusy);
  line.end();
  try {
    const record = stack.find(name);
    const device = await stack.open(name);
    const layer = record.layer instanceof RaidLayer && !device.isReadOnly ? record.layer : null;
    return { stack, record, device, layer, members, problems: found.problems, description };
  } catch (error) {
    await stack.close().catch(() => undefined);
    throw error;
  }
}

/** A file that another process writes is most often a member of an array that is served. */
function explainBusy(error: unknown): never {
  if (!isCevError(error) || error.code !== "CEV_BUSY") throw error;
  const hint = "where cev raid assemble serves the array, name its socket: --array PATH";
  throw new CevError(error.code, error.message, { ...error.place, hint, cause: error });
}

/** What takes part in the array cannot be left alone, as if it had to be added. */
function refuseInUse(members: readonly FoundMember[], excluded: readonly string[]): void {
  if (!members.some(({ path }) => path !== null && excluded.includes(path))) return;
  let inUse: readonly (FoundMember | null)[];
  try {
    const { members: active, rebuilding, spares } = assemble(members);
    inUse = [...active, ...rebuilding.map(({ member }) => member), ...spares];
  } catch (error) {
    // What contradicts the others is not in use; without it they may well fit together.
    if (isCevError(error)) return;
    throw error;
  }
  const member = inUse.find((one) => excluded.includes(one?.path ?? ""));
  if (member === undefined || member === null) return;
  throw new CevError("CEV_BUSY", "it is part of the array already", {
    source: member.name,
    hint: "cev raid detail shows what each member does",
  });
}

const NOT_KEPT = new Set(["lower", "lowers", "members", "create"]);

/** What the stack's description says of the array, apart from what it stands on, and how it is made. */
function settingsOf(entry: DeviceEntry | undefined): DeviceEntry {
  const kept = Object.entries(entry ?? {}).filter(([key]) => !NOT_KEPT.has(key));
  return { driver: RAID_DRIVER, ...Object.fromEntries(kept) };
}

/** What an array is called in a stack: by its name, or else by its UUID. */
function arrayDeviceName({ arrayName, arrayUuid }: Superblock): string {
  return `md/${arrayName === "" ? arrayUuid : arrayName}`;
}

/** The members of the array that is meant. Throws `CEV_NOT_FOUND`, `CEV_AMBIGUOUS`. */
export function chooseArray(
  members: readonly FoundMember[],
  sources: readonly string[],
  { uuid, name }: ArrayChoice,
): readonly FoundMember[] {
  if (members.length === 0) {
    throw new CevError("CEV_NOT_FOUND", `no member of an array was found in ${sources.join(", ")}`, {
      hint: "cev inspect shows what is in there",
    });
  }
  const wantedUuid = uuid === undefined ? null : plainUuid(uuid);
  const fitting = members.filter(
    ({ superblock }) =>
      (wantedUuid === null || plainUuid(superblock.arrayUuid) === wantedUuid) &&
      (name === undefined || isNamed(superblock, name)),
  );
  const uuids = new Set(fitting.map((one) => one.superblock.arrayUuid));
  if (uuids.size === 1) return fitting;
  const known = [...new Map(members.map(({ superblock }) => [superblock.arrayUuid, superblock])).values()];
  const list = known.map((one) => `${one.arrayUuid}${one.arrayName === "" ? "" : ` (${one.arrayName})`}`);
  if (uuids.size === 0) {
    throw new CevError("CEV_NOT_FOUND", "none of the members belongs to that array", {
      hint: `there are members of ${list.join(", ")}`,
    });
  }
  throw new CevError("CEV_AMBIGUOUS", `these are members of ${known.length} arrays: ${list.join(", ")}`, {
    hint: "name one of them with --uuid or --name",
  });
}

const plainUuid = (uuid: string): string => uuid.replaceAll(/[:-]/g, "").toLowerCase();

/** As mdadm takes it: with or without the host in front. */
function isNamed({ arrayName }: Superblock, name: string): boolean {
  return arrayName === name || arrayName.slice(arrayName.indexOf(":") + 1) === name;
}
