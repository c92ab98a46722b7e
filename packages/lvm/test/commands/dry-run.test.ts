import { expect, test } from "vitest";
import type { CommandRequest } from "../../src/index.ts";
import { benchInUse } from "../support/command-bench.ts";

test("a dry run writes nothing, archives nothing, and says what would be written", async () => {
  const requests: readonly CommandRequest[] = [
    { command: "pvcreate", devices: ["d2"] },
    { command: "vgcreate", group: "vg1", devices: ["d2"], extentSize: "64k" },
    { command: "vgextend", devices: ["d2"] },
    { command: "vgrename", newName: "vg2" },
    { command: "vgchange", newUuid: true },
    { command: "vgremove", force: true },
    { command: "vgimportclone", devices: ["d0", "d1"] },
    { command: "vgck", updateMetadata: true },
    { command: "lvcreate", name: "x", extents: 2 },
    { command: "lvcreate", name: "x", snapshotOf: "root", extents: 2 },
    { command: "lvextend", volume: "root", extents: "+1" },
    { command: "lvremove", volumes: ["wide"] },
    { command: "lvconvert", merge: true, snapshot: "snap" },
    { command: "pvresize", devices: ["d0"], setSize: "2m" },
  ];
  for (const request of requests) {
    const bench = await benchInUse();
    bench.journal.length = 0;
    const before = bench.images();
    const archived: string[] = [];
    const options = {
      archive: ({ text }: { readonly text: string }) => void archived.push(text),
      mergeStore: () => Promise.resolve(),
    };
    const dry = await bench.run(request, { ...options, isDryRun: true });
    expect(dry.isDryRun).toBe(true);
    expect(
      bench.journal.filter(({ bytes }) => bytes !== null),
      request.command,
    ).toEqual([]);
    expect(archived).toEqual([]);
    expect(dry.writes.length).toBeGreaterThan(0);
    const wet = await bench.run(request, options);
    expect(wet.isDryRun).toBe(false);
    const isSame = bench.layers.every(({ name, bytes }) => Buffer.compare(bytes, before.get(name)!) === 0);
    expect(isSame).toBe(false);
    // Where it goes and how much is known before; only what a new UUID makes longer or shorter could differ.
    if (request.command !== "lvconvert" && request.command !== "vgimportclone")
      expect(wet.writes.map(({ device, what }) => `${device} ${what}`)).toEqual(
        dry.writes.map(({ device, what }) => `${device} ${what}`),
      );
    expect(wet.messages).toEqual(dry.messages);
  }
});
