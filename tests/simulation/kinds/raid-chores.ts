import type { Json, NamedLayer } from "@cev/core";
import { RaidLayer } from "@cev/raid";
import type { Chore, ChoreSite } from "@cev/test-kit";
import { takeBack } from "./raid-members.ts";

// Bits of a bitmap go some time after the last write to their range.
const LONGER_THAN_BITS_MS = 30_000;

/** What an array is told to do while it is used. */
export function raidChores(isPossible: (options: { readonly [key: string]: Json }) => boolean): Chore[] {
  return [
    {
      name: "check and repair",
      isPossible,
      async run({ layer }) {
        if (!(layer instanceof RaidLayer)) return [];
        await layer.idle();
        if ((await layer.check()) > 0) await layer.repair();
        return [];
      },
    },
    {
      name: "exchange a member",
      isPossible,
      async run(site) {
        const { environment, random } = site;
        const stepped = await exchange(site, null);
        if (random.chance(0.25)) return;
        // Whoever was left out may come back: at once, or when all bits of the bitmap are gone.
        const delayMs = random.pick([0, 250, LONGER_THAN_BITS_MS, LONGER_THAN_BITS_MS]);
        await new Promise<void>((resolve) => void environment.clock.after(delayMs, resolve));
        await exchange(site, stepped);
      },
    },
  ];
}

/** `leaving`: who is to leave; null: any. Returns who has come. */
async function exchange(
  { layer, lowers, environment, random }: ChoreSite,
  leaving: NamedLayer | null,
): Promise<NamedLayer | null> {
  if (!(layer instanceof RaidLayer)) return null;
  await layer.idle();
  const { members, spares, faulty } = layer.array;
  const isOneOf = (devices: readonly { readonly name: string }[], { name }: NamedLayer): boolean =>
    devices.some((device) => device.name === name);
  const inUse = lowers.filter((lower) => isOneOf(members, lower));
  const old = leaving !== null && inUse.includes(leaving) ? leaving : random.pick(inUse);
  // One that was left out before, and may have been a member once; or the same again.
  const next = lowers.find((lower) => !inUse.includes(lower)) ?? old;
  const stepsIn = isOneOf(spares, next);
  if (isOneOf(faulty, next)) await layer.removeMember(next.name);
  await layer.failMember(old.name);
  await layer.removeMember(old.name);
  if (!stepsIn) await takeBack(layer, next, environment);
  await layer.idle();
  return next;
}
