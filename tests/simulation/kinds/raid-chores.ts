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
      name: "fail a member and take it back",
      isPossible,
      async run({ layer, lowers, environment, random }) {
        if (!(layer instanceof RaidLayer)) return [];
        await layer.idle();
        const lower = random.pick(lowers);
        await layer.failMember(lower.name);
        await layer.removeMember(lower.name);
        await takeBack(layer, lower, environment);
        await layer.idle();
        return [];
      },
    },
  ];
}
