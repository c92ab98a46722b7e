/** A device with the place it lies at: its name, in which `/` parts folders, disks and partitions. */
export interface Placed {
  readonly scanIndex: number;
  readonly name: string;
  /** Devices with the same one are clones of one another. */
  readonly identity: string;
}

/**
 * Sorts devices into sets without two of one identity, by where they lie: what is in one folder (or on one disk) belongs
 * together. `isWhole`: a device that needs no other. Null: the places do not say what belongs together.
 */
export function splitByPlace(
  devices: readonly Placed[],
  isWhole: (device: Placed) => boolean,
): Placed[][] | null {
  const parts = splitBelow(devices, 0, isWhole);
  if (parts === null) return null;
  // Two sets that have nothing in common may be halves of one.
  const areApart = parts.every((left, index) =>
    parts.slice(index + 1).every((right) => left.some((one) => has(right, one.identity))),
  );
  return areApart ? parts : null;
}

function splitBelow(
  devices: readonly Placed[],
  depth: number,
  isWhole: (device: Placed) => boolean,
): Placed[][] | null {
  if (!hasClones(devices)) return [[...devices]];
  const here: Placed[] = [];
  const folders = new Map<string, Placed[]>();
  for (const device of devices) {
    const path = device.name.split("/");
    const folder = path.length > depth + 1 ? path[depth]! : null;
    if (folder === null) here.push(device);
    else if (folders.has(folder)) folders.get(folder)!.push(device);
    else folders.set(folder, [device]);
  }
  const parts: Placed[][] = [];
  if (hasClones(here)) {
    if (!here.every(isWhole)) return null;
    parts.push(...here.map((device) => [device]));
  } else if (here.length > 0) {
    parts.push(here);
  }
  for (const inside of folders.values()) {
    const below = splitBelow(inside, depth + 1, isWhole);
    if (below === null) return null;
    parts.push(...below);
  }
  return parts;
}

function hasClones(devices: readonly Placed[]): boolean {
  return new Set(devices.map(({ identity }) => identity)).size < devices.length;
}

function has(devices: readonly Placed[], identity: string): boolean {
  return devices.some((device) => device.identity === identity);
}

/**
 * A short name for each of several sets of devices by where they lie: the folders in which they differ, or, for single devices in
 * one folder, their own names; slashes become colons. Null where places do not tell the sets apart.
 */
export function namePlaces(sets: readonly (readonly { readonly name: string }[])[]): string[] | null {
  const folders = sets.map((devices) =>
    commonFolder(devices.map(({ name }) => name.split("/").slice(0, -1))),
  );
  const byFolder = relativeNames(folders);
  if (byFolder !== null) return byFolder;
  if (sets.some((devices) => devices.length !== 1)) return null;
  return relativeNames(sets.map(([device]) => device!.name.split("/")));
}

function commonFolder(paths: readonly (readonly string[])[]): readonly string[] {
  const [first = [], ...others] = paths;
  let depth = 0;
  while (depth < first.length && others.every((path) => path[depth] === first[depth])) depth++;
  return first.slice(0, depth);
}

function relativeNames(paths: readonly (readonly string[])[]): string[] | null {
  const { length } = commonFolder(paths);
  const names = paths.map((path) => path.slice(length).join(":") || ".");
  return new Set(names).size === names.length ? names : null;
}
