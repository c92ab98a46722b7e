import { describe, expect, it } from "vitest";
import { RAID_OPTIONS } from "../src/options.ts";
import { DM_META_SIZE, dmDisks, dmImages, dmOption, openDm } from "./support/dm-images.ts";
import { MemoryLayer } from "./support/memory-layer.ts";

const RAID5 = dmOption("raid5_ls", 3);

describe("the option dmRaid", () => {
  const issueOf = async (changes: Record<string, unknown>): Promise<readonly unknown[]> => {
    const result = await RAID_OPTIONS["~standard"].validate({ dmRaid: { ...RAID5, ...changes } });
    return result.issues?.[0]?.path ?? [];
  };

  it.each([
    ["an unknown key", { colour: "red" }, "colour"],
    ["an unknown type", { type: "raid5_zz" }, "type"],
    ["no members", { memberCount: 0 }, "memberCount"],
    ["too few members for the type", { type: "raid6_zr" }, "memberCount"],
    ["fewer entries than members", { members: [0, 1] }, "members"],
    ["one lower twice", { members: [0, 1, 1] }, "members"],
    ["what is no index", { members: [0, 1, "2"] }, "members"],
    ["a size that cannot be shared out", { size: RAID5.size + 512 }, "size"],
    ["a size of broken chunks", { size: RAID5.size - 1024, memberSize: RAID5.memberSize }, "size"],
    ["members that are too small", { memberSize: RAID5.memberSize - 4096 }, "memberSize"],
    ["chunks that are no power of two", { chunkSize: 12_288 }, "chunkSize"],
    ["regions that are no power of two", { regionSize: 3 * 4096 }, "regionSize"],
    [
      "more regions than the kernel takes",
      { size: 2 ** 50, memberSize: 2 ** 49, regionSize: 4096 },
      "regionSize",
    ],
    ["bytes that are no sectors", { metadataSize: 1000 }, "metadataSize"],
    ["rebuilds past the last member", { rebuild: [3] }, "rebuild"],
    ["a name that is none", { name: 7 }, "name"],
    ["an answer that is none", { nosync: "yes" }, "nosync"],
  ])("refuses %s", async (_what, changes, key) => {
    expect(await issueOf(changes)).toEqual(["dmRaid", key]);
  });

  it("takes what is right, and does not go with create or uuid", async () => {
    expect(await issueOf({})).toEqual([]);
    const both = await RAID_OPTIONS["~standard"].validate({ dmRaid: RAID5, create: { level: 5 } });
    expect(both.issues).toBeDefined();
  });

  it("refuses lowers that are not there, are too small, or have one name", async () => {
    const members = dmDisks(dmImages(RAID5));
    const small = new MemoryLayer("small", new Uint8Array(DM_META_SIZE));
    await expect(openDm(RAID5, [members[0]!, members[1]!, small])).rejects.toMatchObject({
      code: "CEV_INVALID",
    });
  });
});
