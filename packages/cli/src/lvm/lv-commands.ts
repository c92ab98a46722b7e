import { CevError } from "@cev/core";
import type { AllocationPolicy, CommandRequest, LvCreateRequest } from "@cev/lvm";
import { ExitStatus } from "../exit-status.ts";
import { UsageError } from "../usage-error.ts";
import { splitVolume, splitWords } from "./arguments.ts";
import { change } from "./change.ts";
import type { ChangeOptions } from "./change.ts";
import type { FoundVolumes } from "./find-groups.ts";
import { devicesInPlaces, placesOf } from "./places.ts";
import { inKiB, parseNumber, parseYesNo } from "./size-option.ts";
import { refuseActivation } from "./vg-commands.ts";

/** How much, and how it is laid out. */
export interface LvSizeOptions extends ChangeOptions {
  readonly size?: string;
  readonly extents?: string;
  readonly stripes?: string;
  readonly stripesize?: string;
  readonly resizefs?: boolean;
  readonly alloc?: AllocationPolicy;
}

export interface LvCreateOptions extends LvSizeOptions {
  readonly name?: string;
  readonly snapshot?: boolean;
  readonly chunksize?: string;
  readonly addtag?: readonly string[];
  readonly permission?: "r" | "rw";
  readonly contiguous?: string;
  readonly zero?: string;
  readonly wipesignatures?: string;
  readonly type?: LvCreateRequest["type"];
  readonly activate?: string;
}

export interface LvChangeOptions extends ChangeOptions {
  readonly addtag?: readonly string[];
  readonly deltag?: readonly string[];
  readonly permission?: "r" | "rw";
  readonly alloc?: AllocationPolicy;
  readonly contiguous?: string;
  readonly activate?: string;
}

export interface LvConvertOptions extends ChangeOptions {
  readonly merge?: boolean;
  readonly mergesnapshot?: boolean;
}

/** `cev lvm lvcreate`. */
export function lvCreate(
  target: string,
  words: readonly string[],
  options: LvCreateOptions,
): Promise<ExitStatus> {
  const { group, volume } = splitVolume(target);
  const name = options.name === undefined ? undefined : inGroup(options.name, group);
  const isSnapshot = options.snapshot === true || options.type === "snapshot";
  if (isSnapshot !== (volume !== null))
    throw new UsageError(
      isSnapshot
        ? `name the volume to take a snapshot of: -s ${group}/ORIGIN`
        : `name the new volume with -n; ${target} would be the origin of a snapshot (-s)`,
    );
  refuseActivation(options.activate);
  const areDevicesApart = options.devices !== undefined;
  return change(options, {
    groups: [group],
    devices: [],
    sources: areDevicesApart ? [] : devicesInPlaces(words),
    requests: (_nameOf, found) => [
      {
        command: "lvcreate",
        group,
        name,
        ...amountOf(options),
        places: placesOf(found, group, words, areDevicesApart),
        tags: options.addtag,
        permission: options.permission,
        zero: options.zero === undefined ? undefined : parseYesNo(options.zero, "--zero"),
        snapshotOf: volume ?? undefined,
        chunkSize: inKiB(options.chunksize),
        type: isSnapshot ? undefined : options.type,
      },
    ],
  });
}

function amountOf(options: LvSizeOptions & { readonly contiguous?: string }): {
  readonly size: string | undefined;
  readonly extents: string | undefined;
  readonly stripes: number | undefined;
  readonly stripeSize: string | undefined;
  readonly alloc: AllocationPolicy | undefined;
} {
  const { size, extents, stripes, stripesize } = options;
  return {
    size,
    extents,
    stripes: stripes === undefined ? undefined : parseNumber(stripes, "--stripes"),
    stripeSize: inKiB(stripesize),
    alloc: allocOf(options),
  };
}

function allocOf({
  alloc,
  contiguous,
}: {
  readonly alloc?: AllocationPolicy;
  readonly contiguous?: string;
}): AllocationPolicy | undefined {
  if (contiguous === undefined) return alloc;
  return parseYesNo(contiguous, "--contiguous") ? "contiguous" : "inherit";
}

/** "root", or "vg0/root" where that is the same group. */
function inGroup(word: string, group: string): string {
  const split = splitVolume(word);
  if (split.volume === null) return word;
  if (split.group === group) return split.volume;
  throw new UsageError(`${word} is in another group than ${group}`);
}

function volumeIn(word: string): { readonly group: string; readonly volume: string } {
  const { group, volume } = splitVolume(word);
  if (volume === null) throw new UsageError(`name a volume as VG/LV, not ${word}`);
  return { group, volume };
}

/** `cev lvm lvextend`, `lvreduce`, `lvresize`. */
export function lvResize(
  command: "lvextend" | "lvreduce" | "lvresize",
  target: string,
  words: readonly string[],
  options: LvSizeOptions,
): Promise<ExitStatus> {
  const { group, volume } = volumeIn(target);
  if (options.resizefs === true)
    throw new UsageError(
      "file systems are not resized here: make it smaller before the volume, and larger after it (resize2fs on cev serve's export)",
    );
  if (options.size === undefined && options.extents === undefined)
    throw new UsageError(
      "say how large it is to be: -L SIZE or -l EXTENTS, with + or - to count from what there is",
    );
  const areDevicesApart = options.devices !== undefined;
  return change(options, {
    groups: [group],
    devices: [],
    sources: areDevicesApart ? [] : devicesInPlaces(words),
    requests: (_nameOf, found) => [
      {
        command,
        group,
        volume,
        ...amountOf(options),
        places: command === "lvreduce" ? undefined : placesOf(found, group, words, areDevicesApart),
        force: options.force === true || options.yes === true,
      },
    ],
  });
}

/** `cev lvm lvrename VG OLD NEW`, or `VG/OLD NEW`. */
export function lvRename(words: readonly string[], options: ChangeOptions): Promise<ExitStatus> {
  const first = words[0]!;
  const isJoined = splitVolume(first).volume !== null;
  const count = isJoined ? 2 : 3;
  if (words.length < count)
    throw new UsageError("name the volume and its new name: VG/OLD NEW, or VG OLD NEW");
  const { group, volume } = isJoined ? volumeIn(first) : { group: first, volume: inGroup(words[1]!, first) };
  return change(options, {
    groups: [group],
    devices: [],
    sources: words.slice(count),
    requests: () => [{ command: "lvrename", group, volume, newName: inGroup(words[count - 1]!, group) }],
  });
}

/** Commands about volumes by name: one request for each, or for each group. */
function onVolumes(
  words: readonly string[],
  options: ChangeOptions,
  requests: (
    named: readonly { readonly group: string; readonly volume: string | null }[],
  ) => CommandRequest[],
): Promise<ExitStatus> {
  const { names, devices } = splitWords(words, options.devices !== undefined);
  if (names.length === 0) throw new UsageError("name the volume as VG/LV");
  return change(options, {
    groups: (found) => [...new Set(volumesNamed(found, names).map(({ group }) => group))],
    devices: [],
    sources: devices,
    requests: (_nameOf, found) => requests(volumesNamed(found, names)),
  });
}

/** "vg0", "vg0/root", or "@tag" for all volumes with that tag. */
function volumesNamed(
  found: FoundVolumes,
  names: readonly string[],
): readonly { readonly group: string; readonly volume: string | null }[] {
  return names.flatMap((word) => {
    if (!word.startsWith("@")) return [splitVolume(word)];
    const tagged = found.groups.flatMap(({ displayName, group }) =>
      group.logicalVolumes
        .filter(({ tags }) => tags.includes(word.slice(1)))
        .map(({ name }) => ({ group: displayName, volume: name })),
    );
    if (tagged.length > 0) return tagged;
    throw new CevError("CEV_NOT_FOUND", `no volume has the tag ${word.slice(1)}`, {
      hint: "cev lvm lvs -o +lv_tags shows the tags of all",
    });
  });
}

/** `cev lvm lvremove`. */
export function lvRemove(words: readonly string[], options: ChangeOptions): Promise<ExitStatus> {
  const force = options.force === true || options.yes === true;
  return onVolumes(words, options, (named) =>
    [...new Set(named.map(({ group }) => group))].map((group) => {
      const own = named.filter((one) => one.group === group);
      // The name of the group alone means all of them.
      const isAll = own.some(({ volume }) => volume === null);
      const volumes = isAll ? [] : own.flatMap(({ volume }) => (volume === null ? [] : [volume]));
      return { command: "lvremove", group, volumes, force };
    }),
  );
}

/** `cev lvm lvchange`. */
export async function lvChange(words: readonly string[], options: LvChangeOptions): Promise<ExitStatus> {
  refuseActivation(options.activate);
  const { addtag, deltag, permission } = options;
  const alloc = allocOf(options);
  const isIdle = [addtag, deltag, permission, alloc].every((one) => one === undefined);
  if (isIdle && options.activate !== undefined) return ExitStatus.done;
  if (isIdle) throw new UsageError("say what is to change: -p, --alloc, --addtag or --deltag");
  return onVolumes(words, options, (named) =>
    named.map(({ group, volume }) => {
      if (volume === null) throw new UsageError(`name a volume as VG/LV, not ${group}`);
      return { command: "lvchange", group, volume, permission, alloc, addTags: addtag, deleteTags: deltag };
    }),
  );
}

/** `cev lvm lvconvert --merge`. */
export function lvConvert(words: readonly string[], options: LvConvertOptions): Promise<ExitStatus> {
  if (options.merge !== true && options.mergesnapshot !== true)
    throw new UsageError("say --merge: of what lvconvert does, cev merges snapshots into their origins");
  return onVolumes(words, options, (named) =>
    named.map(({ group, volume }) => {
      if (volume === null) throw new UsageError(`name a snapshot as VG/LV, not ${group}`);
      return { command: "lvconvert", merge: true, group, snapshot: volume };
    }),
  );
}
