import { CevError } from "@cev/core";
import { fc, test } from "@fast-check/vitest";
import { describe, expect, it } from "vitest";
import { assemble } from "../src/assemble/assemble.ts";
import type { Candidate } from "../src/assemble/assemble.ts";
import { FeatureFlag } from "../src/metadata/superblock-features.ts";
import { Role } from "../src/metadata/superblock.ts";
import type { Superblock } from "../src/metadata/superblock.ts";
import { makeSuperblock } from "./support/make-array.ts";

function member(index: number, changes: Partial<Superblock> = {}, name = `disk${index}`): Candidate {
  return { name, superblock: { ...makeSuperblock(index), ...changes } };
}

function codeOf(candidates: readonly Candidate[]): string {
  try {
    assemble(candidates);
  } catch (error) {
    if (error instanceof CevError) return error.code;
    throw error;
  }
  return "assembled";
}

describe("assembling", () => {
  test.prop([fc.shuffledSubarray([0, 1, 2, 3], { minLength: 1 })])(
    "puts members into their places, in whatever order they come, and names the missing",
    (indices) => {
      const { members, missing, leftOut } = assemble(indices.map((index) => member(index)));
      expect(members.map((found) => found?.name ?? null)).toEqual(
        [0, 1, 2, 3].map((index) => (indices.includes(index) ? `disk${index}` : null)),
      );
      expect(missing).toEqual([0, 1, 2, 3].filter((index) => !indices.includes(index)));
      expect(leftOut).toEqual([]);
    },
  );

  it("goes by the role, not by the device number", () => {
    const roles = [0, 1, Role.faulty, 3, 2];
    const late = member(4, { roles }, "late");
    const others = [0, 1, 3].map((index) => member(index, { roles }));
    expect(assemble([late, ...others]).members.map((found) => found?.name)).toEqual([
      "disk0",
      "disk1",
      "late",
      "disk3",
    ]);
  });

  it("leaves a stale member out and says how far it fell behind", () => {
    const { missing, leftOut } = assemble([member(0), member(1, { eventCount: 15n }), member(2), member(3)]);
    expect(missing).toEqual([1]);
    expect(leftOut).toHaveLength(1);
    expect(leftOut[0]!.name).toBe("disk1");
    expect(leftOut[0]!.reason).toContain("15");
    expect(leftOut[0]!.reason).toContain("17");
    expect(leftOut[0]!.index).toBe(1);
  });

  it("takes a member one event behind, for a crash may have come between two superblocks", () => {
    expect(assemble([member(0), member(1, { eventCount: 16n }), member(2), member(3)]).missing).toEqual([]);
  });

  it("does not take a member one event behind when that event was its failure", () => {
    const roles = [0, Role.faulty, 2, 3];
    const newer = [0, 2, 3].map((index) => member(index, { eventCount: 18n, roles }));
    const { missing, leftOut } = assemble([member(1), ...newer]);
    expect(missing).toEqual([1]);
    expect(leftOut[0]!.name).toBe("disk1");
  });

  it.each<[string, Partial<Superblock>]>([
    ["one that has failed by its own superblock", { roles: [0, Role.faulty, 2, 3] }],
    ["one that is to replace another", { features: FeatureFlag.replacement }],
  ])("leaves out %s", (_name, changes) => {
    const { missing, leftOut } = assemble([member(0), member(1, changes), member(2), member(3)]);
    expect(missing).toEqual([1]);
    expect(leftOut.map(({ name }) => name)).toEqual(["disk1"]);
  });

  it("returns spares and the journal, which have no place", () => {
    const roles = [0, 1, 2, 3, Role.journal, Role.spare];
    const all = [0, 1, 2, 3, 4, 5].map((index) => member(index, { roles, memberCount: 4 }));
    const { missing, spares, journal, leftOut } = assemble(all);
    expect(missing).toEqual([]);
    expect(spares.map(({ name }) => name)).toEqual(["disk5"]);
    expect(journal?.name).toBe("disk4");
    expect(leftOut).toEqual([]);
  });

  it("leaves out a spare that is too small for what the array gives since it grew", () => {
    const old = { deviceNumber: 9, eventCount: 3n, sizeSectors: 8, dataSizeSectors: 32 };
    const { spares, leftOut } = assemble([member(0), member(1), member(2), member(3), member(9, old)]);
    expect(spares).toEqual([]);
    expect(leftOut[0]!.reason).toContain("too little room");
  });

  it("returns a member that is being rebuilt with how far it has come: its place has no member in sync", () => {
    const changes = { features: FeatureFlag.recovery | FeatureFlag.recoveryBitmap, recoverySectors: 8 };
    const { members, missing, rebuilding, leftOut } = assemble([
      member(0),
      member(1, changes),
      member(2),
      member(3),
    ]);
    expect(members[1]).toBeNull();
    expect(missing).toEqual([1]);
    expect(leftOut).toEqual([]);
    expect(rebuilding).toMatchObject([{ index: 1, recoveredTo: 4096, byBitmap: true }]);
    expect(rebuilding[0]!.member.name).toBe("disk1");
  });

  it("does not let a spare with more events speak for the array", () => {
    const spare = member(9, { deviceNumber: 9, eventCount: 30n }, "spare");
    expect(assemble([spare, member(0), member(1), member(2)]).missing).toEqual([3]);
  });

  it.each<[string, readonly Candidate[]]>([
    ["two members with one role", [member(0), member(1), member(1, {}, "copy"), member(2)]],
    [
      "a member of another array",
      [member(0), member(1, { arrayUuid: "00000000:00000000:00000000:00000001" })],
    ],
    [
      "two arrays with one UUID, of different age",
      [member(0), member(1, { createdAt: { seconds: 5, microseconds: 0 } })],
    ],
    ["two arrays with one UUID, of different chunk sizes", [member(0), member(1, { chunkSectors: 16 })]],
    ["two arrays with one UUID, of different size", [member(0), member(1, { sizeSectors: 8 })]],
    ["two arrays with one UUID, of different layouts", [member(0), member(1, { layout: 0 })]],
    [
      "halves that were run apart",
      [
        member(0, { roles: [0, 1, 2, Role.faulty] }),
        member(1, { roles: [0, 1, 2, Role.faulty] }),
        member(3, { roles: [Role.faulty, 1, 2, 3] }),
      ],
    ],
  ])("refuses %s", (_name, candidates) => {
    expect(codeOf(candidates)).toBe("CEV_AMBIGUOUS");
    expect(codeOf([...candidates].reverse())).toBe("CEV_AMBIGUOUS");
  });

  it("takes the newer of two members with one role: the other is stale", () => {
    const { members, leftOut } = assemble([
      member(0),
      member(1, { eventCount: 3n }, "old"),
      member(1),
      member(2),
    ]);
    expect(members[1]?.name).toBe("disk1");
    expect(leftOut.map(({ name }) => name)).toEqual(["old"]);
  });

  it("says of a stale member that it was run apart, where its own superblock says so", () => {
    const apart = { eventCount: 10n, roles: [Role.faulty, 1, Role.faulty, Role.faulty] };
    const { leftOut, stale } = assemble([member(0), member(1, apart), member(2), member(3)]);
    expect(leftOut[0]!.reason).toContain("run apart");
    expect(stale).toEqual([]);
  });

  it("does not take the coming of a spare for that", () => {
    // disk4 has taken the place of disk2 since disk1 fell behind.
    const roles = [0, 1, Role.faulty, 3, 2];
    const newer = [0, 3, 4].map((index) => member(index, { roles, eventCount: 30n }));
    const { leftOut, stale } = assemble([...newer, member(1)]);
    expect(leftOut[0]!.reason).not.toContain("run apart");
    expect(stale.map(({ name }) => name)).toEqual(["disk1"]);
  });

  it("does not say so of a member that fell behind before all others were replaced: that cannot be told", () => {
    // 4 to 7 have taken the places of 0 to 3. 2 has seen 1 fail, and nothing since.
    const gone = [Role.faulty, Role.faulty, Role.faulty, Role.faulty];
    const newer = [4, 5, 6, 7].map((index) =>
      member(index, { roles: [...gone, 3, 1, 2, 0], eventCount: 33n }),
    );
    const old = member(2, { eventCount: 3n, roles: [0, Role.faulty, 2, 3, ...gone] });
    const { leftOut, stale } = assemble([...newer, old]);
    expect(leftOut[0]!.reason).toContain("event count is 3, the newest is 33");
    expect(leftOut[0]!.reason).not.toContain("says that");
    expect(leftOut[0]!.reason).toContain("from before they were added, or was run apart");
    // So it must not come back by a bitmap that may lack what was written to it.
    expect(stale).toEqual([]);
  });

  it("says that it was run apart also where its half has given the place of the other to a spare", () => {
    const apart = { memberCount: 2, level: 1, layout: 0 };
    const left = member(0, { ...apart, roles: [0, Role.faulty], eventCount: 30n });
    const right = [1, 2].map((index) =>
      member(index, { ...apart, roles: [Role.faulty, 1, 0], eventCount: 20n }),
    );
    const { leftOut, stale } = assemble([left, ...right]);
    expect(leftOut.map(({ reason }) => reason.includes("disk0 has failed: they were run apart"))).toEqual([
      true,
      true,
    ]);
    expect(stale).toEqual([]);
  });

  it("goes by any member that both know, in whatever order they are given", () => {
    // disk1 saw disk2 fail; disk4 has taken its place since disk1 fell behind.
    const roles = [0, Role.faulty, Role.faulty, 3, 2];
    const newer = [0, 3, 4].map((index) => member(index, { roles, eventCount: 30n }));
    const old = member(1, { roles: [0, 1, Role.faulty, 3, Role.faulty], eventCount: 10n });
    for (const all of [[...newer, old], [old, ...newer].reverse()]) {
      const { leftOut, stale } = assemble(all);
      expect(leftOut[0]!.reason).toBe("is stale: its event count is 10, the newest is 30");
      expect(stale.map(({ name }) => name)).toEqual(["disk1"]);
    }
  });

  it.each<[string, Partial<Superblock>]>([
    ["more members", { memberCount: 3 }],
    ["another size", { sizeSectors: 8 }],
    ["another layout", { layout: 0 }],
  ])("leaves out a member from before the array got %s", (_name, changes) => {
    const old = member(1, { eventCount: 10n, roles: [0, 1, 2], ...changes });
    const { leftOut, stale } = assemble([member(0), old, member(2), member(3)]);
    expect(leftOut.map(({ name }) => name)).toEqual(["disk1"]);
    expect(stale).toEqual([]);
  });

  it.each<[string, Partial<Superblock>]>([
    ["its size", { sizeSectors: 32 }],
    ["its number of members", { memberCount: 3 }],
  ])("takes a member that lacks only the event in which the array changed %s", (_name, changes) => {
    const { members, leftOut } = assemble([
      member(0),
      member(1, { eventCount: 16n, ...changes }),
      member(2),
      member(3),
    ]);
    expect(members[1]?.name).toBe("disk1");
    expect(leftOut).toEqual([]);
  });

  it("does not take it where it has no room for what the array gives now", () => {
    const small = { eventCount: 16n, sizeSectors: 32, dataSizeSectors: 32 };
    expect(codeOf([member(0), member(1, small), member(2)])).toBe("CEV_AMBIGUOUS");
  });

  it("names the field and the byte of what is ambiguous", () => {
    const roles = [0, 1, 2, 3, 1];
    try {
      assemble([member(0, { roles }), member(1, { roles }), member(4, { roles })]);
      expect.unreachable("it was assembled");
    } catch (error) {
      expect((error as CevError).place).toMatchObject({
        source: "disk4",
        structure: "md superblock",
        field: "dev_roles",
        byteOffset: 4096 + 256 + 8,
      });
    }
  });

  it("finds nothing in nothing", () => {
    expect(codeOf([])).toBe("CEV_NOT_FOUND");
  });
});

describe("assembling by force", () => {
  /** Runs with at most so many missing of four. */
  const canMiss = (count: number) => (isPresent: (index: number) => boolean) =>
    [0, 1, 2, 3].filter((index) => !isPresent(index)).length <= count;
  const names = (candidates: readonly (Candidate | null)[]) => candidates.map((one) => one?.name ?? null);
  const newest = { eventCount: 30n, roles: [0, Role.faulty, Role.faulty, 3] };

  it("takes the freshest stale members that are needed, and no more", () => {
    const all = [
      member(0, newest),
      member(1, { eventCount: 12n }),
      member(2, { eventCount: 11n }),
      member(3, newest),
    ];
    const { members, forced, leftOut, stale } = assemble(all, { force: canMiss(1) });
    expect(names(members)).toEqual(["disk0", "disk1", null, "disk3"]);
    expect(names(forced)).toEqual(["disk1"]);
    expect(leftOut.map(({ name }) => name)).toEqual(["disk2"]);
    expect(names(stale)).toEqual(["disk2"]);
  });

  it("takes none where the array can run without", () => {
    const { forced, members } = assemble([member(0), member(1, { eventCount: 3n }), member(2), member(3)], {
      force: canMiss(1),
    });
    expect(forced).toEqual([]);
    expect(members[1]).toBeNull();
  });

  it("takes none where that does not help", () => {
    const { forced, missing } = assemble([member(0, newest), member(1, { eventCount: 12n })], {
      force: canMiss(1),
    });
    expect(forced).toEqual([]);
    expect(missing).toEqual([1, 2, 3]);
  });

  it.each<[string, Partial<Superblock>]>([
    ["one that was run apart", { eventCount: 12n, roles: [Role.faulty, 1, 2, Role.faulty] }],
    ["a rebuild that was cut off", { eventCount: 12n, features: FeatureFlag.recovery, recoverySectors: 8 }],
    ["one that says that it has failed", { eventCount: 12n, roles: [0, Role.faulty, 2, 3] }],
    ["one that was to replace another", { eventCount: 12n, features: FeatureFlag.replacement }],
    ["one of another size", { eventCount: 12n, sizeSectors: 8 }],
  ])("does not take %s", (_name, changes) => {
    const all = [member(0, newest), member(1, changes), member(3, newest)];
    expect(assemble(all, { force: canMiss(1) }).forced).toEqual([]);
  });

  it("refuses halves that were run apart all the same", () => {
    const halves = [
      member(0, { roles: [0, 1, Role.faulty, Role.faulty] }),
      member(2, { roles: [Role.faulty, Role.faulty, 2, 3] }),
    ];
    expect(() => assemble(halves, { force: canMiss(1) })).toThrow(CevError);
  });
});
