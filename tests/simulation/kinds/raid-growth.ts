import { isCevError } from "@cev/core";
import { RaidLayer } from "@cev/raid";
import type { Chore } from "@cev/test-kit";
import { withSmallBlocks } from "./raid-members.ts";

const CHUNK = 4096;

/** What an array is told to become while it is used. */
export const GROWTH_CHORES: readonly Chore[] = [
  {
    name: "grow",
    isPossible: ({ grows }) => grows === true,
    async run({ layer, random }) {
      if (!(layer instanceof RaidLayer)) return;
      await layer.idle();
      const [size] = layer.array.geometry.memberSizes;
      try {
        await layer.growSize(random.chance(0.3) ? "max" : size! + CHUNK * random.between(1, 6));
      } catch (error) {
        // Near the end.
        const isFull =
          isCevError(error) && error.code === "CEV_INVALID" && error.message.includes("has room");
        if (!isFull) throw error;
      }
    },
  },
  {
    name: "take one more member, or one less",
    isPossible: ({ level, hasSpare }) => level === 1 && hasSpare === true,
    async run({ layer, lowers, options, environment }) {
      if (!(layer instanceof RaidLayer)) return;
      await layer.idle();
      const { members, spares } = layer.array;
      const memberCount = options["memberCount"] as number;
      if (members.length === memberCount) {
        if (spares.length === 0) return;
        await layer.growMembers(memberCount + 1);
        await layer.idle();
        return;
      }
      const { name } = members.at(-1)!;
      await layer.failMember(name);
      await layer.removeMember(name);
      await layer.growMembers(memberCount);
      const lower = lowers.find((one) => one.name === name)!;
      await layer.addMember(withSmallBlocks(lower, environment).layer, name);
    },
  },
];
