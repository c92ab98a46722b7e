/** A volume, as the sequence knows it. */
export interface KnownVolume {
  readonly name: string;
  /** What it ought to hold; null: not read yet, a snapshot whose store is full, or a volume whose reads fail. */
  readonly content: Uint8Array | null;
  /** Name of the volume it is a snapshot of. */
  readonly origin: string | null;
  /** "error" and "zero" take no extents. */
  readonly kind: "data" | "error" | "zero";
}

/** What a sequence of commands knows of its disks: enough to ask mostly for what can be done, and to tell what came of it. */
export interface KnownWorld {
  /** Null: there is no group. */
  readonly group: string | null;
  readonly isExported: boolean;
  /** Names of devices that are physical volumes of no group. */
  readonly free: readonly string[];
  /** Names of devices that are physical volumes of the group. */
  readonly used: readonly string[];
  /** Names of devices without a label. */
  readonly blank: readonly string[];
  readonly volumes: readonly KnownVolume[];
  /** A text of the group, and its volumes at that time; null once extents have changed their owners since. */
  readonly backup: { readonly text: string; readonly volumes: readonly KnownVolume[] } | null;
  /** Numbers new names. */
  readonly nameCount: number;
}

/** The volumes that are no snapshots and have none: those whose extents can be given back. */
export function looseVolumes({ volumes }: KnownWorld): readonly KnownVolume[] {
  return volumes.filter(
    ({ name, origin }) => origin === null && !volumes.some((other) => other.origin === name),
  );
}

export function withVolume(world: KnownWorld, name: string, changed: KnownVolume | null): KnownWorld {
  return {
    ...world,
    volumes: world.volumes.flatMap((volume) =>
      volume.name === name ? (changed === null ? [] : [changed]) : [volume],
    ),
  };
}

/** A world of blank devices. */
export function blankWorld(devices: readonly string[]): KnownWorld {
  return {
    group: null,
    isExported: false,
    free: [],
    used: [],
    blank: devices,
    volumes: [],
    backup: null,
    nameCount: 0,
  };
}
