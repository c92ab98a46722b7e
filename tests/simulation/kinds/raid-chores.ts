import type { Json } from "@cev/core";
import { RaidLayer } from "@cev/raid";
import type { Chore } from "@cev/test-kit";
import { takeBack } from "./raid-members.ts";

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
      async run({ layer, lowers, environment, random }) {
        if (!(layer instanceof RaidLayer)) return [];
        await layer.idle();
        const { members } = layer.array;
        const inUse = lowers.filter(({ name }) => members.some((member) => member.name === name));
        const old = random.pick(inUse);
        await layer.failMember(old.name);
        await layer.removeMember(old.name);
        // One that was left out before, and may have been a member once; or the same again.
        await takeBack(layer, lowers.find((lower) => !inUse.includes(lower)) ?? old, environment);
        await layer.idle();
        return [];
      },
    },
  ];
}
