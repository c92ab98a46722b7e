import type { KernelAnswer } from "./oracle-batch.ts";

/**
 * The physical volumes, by index, that each volume lies on in any way, itself or by volumes that it is made of, as LVM2's own
 * listing has it.
 */
export function dependenciesOf(
  { listings }: KernelAnswer,
  devices: readonly string[],
): ReadonlyMap<string, ReadonlySet<number>> {
  const uses = new Map<string, Set<string>>();
  for (const row of listings.get("lvs") ?? []) {
    const [name] = row;
    const [origin, pool, log, areas, metadata] = row.slice(12, 17);
    const own = uses.get(plain(name!)) ?? new Set();
    uses.set(plain(name!), own);
    for (const used of [origin, pool, log]) if (used !== undefined && used !== "") own.add(plain(used));
    for (const area of [...(areas ?? "").split(","), ...(metadata ?? "").split(",")])
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
