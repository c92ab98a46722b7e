/**
 * The physical volumes, by index, that each volume lies on in any way, itself or by volumes that it is made of, as LVM2's own
 * listing has it (the rows of "lvs" that `listing` in `groups.sh` prints).
 */
export function dependenciesOf(
  rows: readonly (readonly string[])[],
  devices: readonly string[],
): ReadonlyMap<string, ReadonlySet<number>> {
  const uses = new Map<string, Set<string>>();
  for (const row of rows) {
    const [name] = row;
    const [origin, pool, log, areas] = row.slice(12, 16);
    const own = uses.get(plain(name!)) ?? new Set();
    uses.set(plain(name!), own);
    // Hidden while it is merged: from then on its origin is made of both.
    const isMerging = name!.startsWith("[") && origin !== "" && row[5]!.includes("thicksnapshot");
    if (isMerging) uses.set(plain(origin!), (uses.get(plain(origin!)) ?? new Set()).add(plain(name!)));
    // LVM2 names a pool's data, and not what says whose they are.
    const poolOf = /^\[(.*)_tmeta\]$/.exec(name!)?.[1];
    if (poolOf !== undefined) uses.set(poolOf, (uses.get(poolOf) ?? new Set()).add(plain(name!)));
    for (const used of [origin, pool, log]) if (used !== undefined && used !== "") own.add(plain(used));
    for (const area of (areas ?? "").split(","))
      if (area !== "") own.add(plain(area.replace(/\(\d+\)$/, "")));
  }
  const found = new Map<string, ReadonlySet<number>>();
  for (const name of uses.keys()) {
    const reached = new Set([name]);
    for (const one of reached) for (const used of uses.get(one) ?? []) reached.add(used);
    // What a volume is made of has names of its own: dir_rimage_0, pool_tdata.
    found.set(name, new Set([...reached].map((one) => devices.indexOf(one)).filter((index) => index >= 0)));
  }
  return found;
}

function plain(name: string): string {
  return name.replace(/^\[|\]$/g, "");
}
