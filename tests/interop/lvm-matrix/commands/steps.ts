import type { CommandRequest } from "@cev/lvm";
import type { Random } from "../../src/random.ts";
import { looseVolumes, withVolume } from "./model.ts";
import type { KnownVolume, KnownWorld } from "./model.ts";

/**
 * One step of a sequence, before it is known what there is to be changed: numbers from 0 to 1 that choose. So a sequence from
 * which steps were taken away is a sequence still.
 */
export interface Step {
  readonly kind: StepKind;
  readonly choices: readonly number[];
}

/** A command, and the world once it has succeeded. */
export interface ResolvedStep {
  readonly request: CommandRequest;
  readonly after: (world: KnownWorld) => KnownWorld;
}

type Choose = <T>(items: readonly T[]) => T | undefined;

const EXTENTS = [1, 2, 3, 5, 8, 13, 21];
const STRIPE_SIZES = ["4k", "8k", "16k", "64k"] as const;
const CHUNK_SIZES = ["4k", "8k", "64k"] as const;
const TAGS = ["red", "a.b+c", "x/y=z", "n#1", "q&r:s!"];
const SIZE_WORDS = ["+1", "+3", "+7", "+10%FREE", "+5%VG", "+30%LV"];

const KINDS = {
  pvcreate: 4,
  pvremove: 1,
  vgcreate: 3,
  vgextend: 4,
  vgreduce: 3,
  vgrename: 2,
  vgchange: 2,
  pvchange: 2,
  linear: 10,
  striped: 5,
  target: 2,
  snapshot: 7,
  extend: 10,
  reduce: 5,
  rename: 7,
  remove: 5,
  change: 3,
  merge: 7,
  check: 2,
  backup: 5,
  restore: 6,
  export: 1,
  write: 8,
} as const;
export type StepKind = keyof typeof KINDS;

/** A sequence from a seed: first what makes a group, then anything. */
export function randomSteps(random: Random, length: number): Step[] {
  const weighted = Object.entries(KINDS).flatMap(([kind, weight]) =>
    Array.from({ length: weight }, () => kind as StepKind),
  );
  const step = (kind: StepKind): Step => ({
    kind,
    choices: Array.from({ length: 8 }, () => random.below(2 ** 20) / 2 ** 20),
  });
  const first: StepKind[] = ["pvcreate", "pvcreate", "vgcreate", "linear", "linear"];
  return Array.from({ length }, (_, index) => step(first[index] ?? random.pick(weighted)));
}

/** What a step asks for in this world; null: there is nothing to do it with. `write` is not a command. */
export function resolveStep({ kind, choices }: Step, world: KnownWorld): ResolvedStep | null {
  const left = [...choices];
  const number = (): number => left.shift() ?? 0;
  const choose: Choose = (items) => items[Math.floor(number() * items.length)];
  if (kind === "write") return null;
  if (kind === "pvcreate" || kind === "pvremove" || kind === "vgcreate")
    return onDevices(kind, world, choose);
  if (world.group === null) return null;
  const resolved = onGroup(kind, world, choose) ?? onVolumes(kind, world, choose, world.group);
  return resolved;
}

function onDevices(
  kind: "pvcreate" | "pvremove" | "vgcreate",
  world: KnownWorld,
  choose: Choose,
): ResolvedStep | null {
  if (kind === "pvcreate") {
    const device = choose(world.blank);
    if (device === undefined) return null;
    const request = {
      command: "pvcreate" as const,
      devices: [device],
      metadataCopies: choose([1, 1, 1, 2, 0]),
      metadataSize: choose(["32k", "64k", undefined]),
      dataAlignment: choose(["64k", "4k", undefined]),
      labelSector: choose([1, 1, 0, 2, 3]),
    };
    return {
      request,
      after: (now) => ({
        ...now,
        blank: now.blank.filter((name) => name !== device),
        free: [...now.free, device],
      }),
    };
  }
  const device = choose(world.free);
  if (device === undefined) return null;
  if (kind === "pvremove") {
    if (world.free.length < 2) return null;
    return {
      request: { command: "pvremove", devices: [device] },
      after: (now) => ({
        ...now,
        free: now.free.filter((name) => name !== device),
        blank: [...now.blank, device],
      }),
    };
  }
  if (world.group !== null) return null;
  const devices = choose([[device], world.free])!;
  const request = {
    command: "vgcreate" as const,
    group: "vg",
    devices,
    extentSize: choose(["64k", "64k", "128k", "32k"])!,
    alloc: choose(["normal", "contiguous", "anywhere", undefined] as const),
  };
  return {
    request,
    after: (now) => ({
      ...now,
      group: "vg",
      isExported: false,
      used: devices,
      free: now.free.filter((name) => !devices.includes(name)),
    }),
  };
}

function onGroup(kind: StepKind, world: KnownWorld, choose: Choose): ResolvedStep | null {
  const group = world.group!;
  const same = (now: KnownWorld): KnownWorld => now;
  switch (kind) {
    case "vgextend": {
      const device = choose([...world.free, ...world.blank]);
      if (device === undefined) return null;
      return {
        request: { command: "vgextend", group, devices: [device] },
        after: (now) => ({
          ...now,
          used: [...now.used, device],
          free: now.free.filter((name) => name !== device),
          blank: now.blank.filter((name) => name !== device),
        }),
      };
    }
    case "vgreduce": {
      const device = choose(world.used);
      if (device === undefined) return null;
      return {
        request: { command: "vgreduce", group, devices: [device] },
        after: (now) => ({
          ...now,
          used: now.used.filter((name) => name !== device),
          free: [...now.free, device],
        }),
      };
    }
    case "vgrename": {
      const newName = group === "vg" ? `group${world.nameCount}` : "vg";
      return {
        request: { command: "vgrename", group, newName },
        after: (now) => ({ ...now, group: newName, nameCount: now.nameCount + 1 }),
      };
    }
    case "vgchange":
      return {
        request: choose([
          { command: "vgchange" as const, group, addTags: [choose(TAGS)!] },
          { command: "vgchange" as const, group, deleteTags: [choose(TAGS)!] },
          { command: "vgchange" as const, group, alloc: choose(["normal", "anywhere", "cling"] as const) },
          { command: "vgchange" as const, group, newUuid: true },
        ])!,
        after: same,
      };
    case "pvchange": {
      const device = choose(world.used);
      if (device === undefined) return null;
      return {
        request: choose([
          { command: "pvchange" as const, devices: [device], addTags: [choose(TAGS)!] },
          { command: "pvchange" as const, devices: [device], isAllocatable: false },
          { command: "pvchange" as const, devices: [device], isAllocatable: true },
        ])!,
        after: same,
      };
    }
    case "check":
      return { request: { command: "vgck", group }, after: same };
    case "export":
      return {
        request: world.isExported ? { command: "vgimport", group } : { command: "vgexport", group },
        after: (now) => ({ ...now, isExported: !now.isExported }),
      };
    case "backup":
      return { request: { command: "vgcfgbackup", group }, after: same };
    case "restore": {
      const { backup } = world;
      if (backup === null) return null;
      return {
        request: { command: "vgcfgrestore", group, text: backup.text },
        after: (now) => ({ ...now, volumes: backup.volumes }),
      };
    }
    default:
      return null;
  }
}

function onVolumes(kind: StepKind, world: KnownWorld, choose: Choose, group: string): ResolvedStep | null {
  const name = `lv${world.nameCount}`;
  const named = (now: KnownWorld, volume: Omit<KnownVolume, "name">): KnownWorld => ({
    ...now,
    nameCount: now.nameCount + 1,
    volumes: [...now.volumes, { name, ...volume }],
  });
  const data = { content: null, origin: null, kind: "data" } as const;
  switch (kind) {
    case "linear": {
      const request = {
        command: "lvcreate" as const,
        group,
        name,
        ...choose([
          { extents: choose(EXTENTS)! },
          { extents: choose(EXTENTS)! },
          { extents: "20%FREE" },
          { size: "300k" },
          { extents: "10%VG" },
        ])!,
        places: choose([undefined, undefined, [choose(world.used)!], [`${choose(world.used)!}:3-40`]]),
        tags: choose([undefined, [choose(TAGS)!]]),
        permission: choose([undefined, undefined, undefined, "r" as const]),
        alloc: choose([undefined, undefined, "contiguous" as const, "anywhere" as const]),
      };
      return { request, after: (now) => named(now, data) };
    }
    case "striped": {
      const request = {
        command: "lvcreate" as const,
        group,
        name,
        extents: choose([4, 6, 12])!,
        stripes: choose([2, 2, 3])!,
        stripeSize: choose(STRIPE_SIZES)!,
        zero: choose([true, true, false])!,
      };
      return { request, after: (now) => named(now, data) };
    }
    case "target": {
      const type = choose(["error", "zero"] as const)!;
      return {
        request: { command: "lvcreate", group, name, extents: 4, type },
        after: (now) => named(now, { ...data, kind: type }),
      };
    }
    case "snapshot": {
      const origin = choose(world.volumes.filter((one) => one.origin === null && one.kind === "data"));
      if (origin === undefined) return null;
      const request = {
        command: "lvcreate" as const,
        group,
        name,
        snapshotOf: origin.name,
        extents: choose([4, 8, 16, "60%ORIGIN"])!,
        chunkSize: choose(CHUNK_SIZES)!,
      };
      return {
        request,
        after: (now) =>
          named(now, { ...data, content: origin.content?.slice() ?? null, origin: origin.name }),
      };
    }
    default:
      return onOneVolume(kind, world, choose, group);
  }
}

function onOneVolume(kind: StepKind, world: KnownWorld, choose: Choose, group: string): ResolvedStep | null {
  const volume = choose(kind === "extend" || kind === "reduce" ? looseVolumes(world) : world.volumes);
  if (volume === undefined) return null;
  const { name } = volume;
  switch (kind) {
    case "extend":
      return {
        request: {
          command: "lvextend",
          group,
          volume: name,
          extents: choose(SIZE_WORDS)!,
          places: choose([undefined, undefined, [choose(world.used)!]]),
          alloc: choose([undefined, undefined, "anywhere" as const]),
        },
        after: (now) => now,
      };
    case "reduce":
      return {
        request: {
          command: "lvreduce",
          group,
          volume: name,
          extents: choose(["-1", "-2", "-5"])!,
          force: true,
        },
        after: (now) => now,
      };
    case "rename": {
      const newName = `lv${world.nameCount}`;
      return {
        request: { command: "lvrename", group, volume: name, newName },
        after: (now) => ({
          ...now,
          nameCount: now.nameCount + 1,
          volumes: now.volumes.map((one) => ({
            ...one,
            name: one.name === name ? newName : one.name,
            origin: one.origin === name ? newName : one.origin,
          })),
        }),
      };
    }
    case "remove":
      return {
        request: { command: "lvremove", group, volumes: [name], force: true },
        after: (now) => ({
          ...now,
          volumes: now.volumes.filter((one) => one.name !== name && one.origin !== name),
        }),
      };
    case "change":
      return {
        request: choose([
          { command: "lvchange" as const, group, volume: name, addTags: [choose(TAGS)!] },
          { command: "lvchange" as const, group, volume: name, deleteTags: [choose(TAGS)!] },
          { command: "lvchange" as const, group, volume: name, permission: "rw" as const },
          { command: "lvchange" as const, group, volume: name, permission: "r" as const },
        ])!,
        after: (now) => now,
      };
    case "merge": {
      const snapshot = choose(world.volumes.filter((one) => one.origin !== null));
      if (snapshot?.origin === undefined || snapshot.origin === null) return null;
      const origin = world.volumes.find((one) => one.name === snapshot.origin);
      if (origin === undefined) return null;
      return {
        request: { command: "lvconvert", group, merge: true, snapshot: snapshot.name },
        after: (now) =>
          withVolume(withVolume(now, snapshot.name, null), origin.name, {
            ...origin,
            content: snapshot.content,
          }),
      };
    }
    default:
      return null;
  }
}
