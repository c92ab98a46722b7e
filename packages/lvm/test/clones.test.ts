import { Device } from "@cev/core";
import { describe, expect, test } from "vitest";
import { namePlaces, splitByPlace } from "../src/assemble/places.ts";
import { A, B, base, codes, names, pv } from "./support/base-group.ts";
import { groupText, linear, uuidOf } from "./support/group-image.ts";
import type { ImageLayer } from "./support/image-layer.ts";
import { environment, openGroup, readAll } from "./support/open.ts";

const text = groupText(base);
const single = (uuid: string, group: string): string =>
  groupText({ uuid: uuidOf(group), pvs: [uuid], volumes: { root: linear(uuidOf("l"), [[4, "pv0", 0]]) } });

/** The group of two physical volumes, in a folder of its own. */
function cloneIn(folder: string): ImageLayer[] {
  return [pv(`${folder}d0.img`, A, text), pv(`${folder}d1.img`, B, text)];
}

describe("clones of a group", () => {
  test("in folders of their own open side by side, each from its own devices", async () => {
    const [a, b] = [cloneIn("x/a/"), cloneIn("x/b/")];
    b[0]!.bytes.fill(7, 65_536, 65_536 + 16_384);
    const opened = await openGroup([a[0]!, b[1]!, b[0]!, a[1]!]);
    expect(names(opened)).toEqual([
      ...["vg0@a/left", "vg0@a/right", "vg0@a/both"],
      ...["vg0@b/left", "vg0@b/right", "vg0@b/both"],
    ]);
    expect(opened.problems).toEqual([
      {
        severity: "warning",
        code: "CEV_AMBIGUOUS",
        message:
          "2 groups are named vg0: vg0@a (x/a/d0.img, x/a/d1.img); vg0@b (x/b/d1.img, x/b/d0.img); " +
          "clones get UUIDs of their own with vgimportclone",
      },
    ]);
    expect(await readAll(opened.devices[0]!.layer)).toEqual(a[0]!.bytes.slice(65_536, 65_536 + 16_384));
    expect(await readAll(opened.devices[3]!.layer)).toEqual(new Uint8Array(16_384).fill(7));
    await using left = await Device.open(opened.devices[0]!.layer, environment);
    await using other = await Device.open(opened.devices[3]!.layer, environment);
    await left.write(0, new Uint8Array(512).fill(1));
    expect((await other.read(0, 1))[0]).toBe(7);
    expect(b[0]!.writeCount).toBe(0);
  });

  test("are opened one at a time by what they are called, also when the others are not here", async () => {
    const all = [...cloneIn("a/"), ...cloneIn("b/")];
    expect(names(await openGroup(all, { group: "vg0@b", volumes: ["left"] }))).toEqual(["vg0@b/left"]);
    expect(names(await openGroup(cloneIn("b/"), { group: "vg0@b", volumes: ["left"] }))).toEqual([
      "vg0/left",
    ]);
    await expect(openGroup(cloneIn("c/"), { group: "vg0@b" })).rejects.toMatchObject({
      code: "CEV_NOT_FOUND",
    });
    for (const group of ["vg0", uuidOf("g")])
      await expect(openGroup(all, { group })).rejects.toMatchObject({
        code: "CEV_AMBIGUOUS",
        message: expect.stringMatching(/vg0@a, vg0@b/) as unknown,
      });
  });

  test("that have moved on apart from one another each have their own newest text", async () => {
    const newer = groupText({ ...base, seqno: 2, volumes: { only: linear(uuidOf("o"), [[4, "pv1", 0]]) } });
    const b = [pv("b/d0.img", A, newer), pv("b/d1.img", B, newer)];
    const opened = await openGroup([...cloneIn("a/"), ...b]);
    expect(names(opened)).toEqual(["vg0@a/left", "vg0@a/right", "vg0@a/both", "vg0@b/only"]);
    expect(codes(opened)).toEqual(["CEV_AMBIGUOUS"]);
  });

  test("are told apart by the disks that their partitions are on", async () => {
    const opened = await openGroup([
      ...[pv("disk.img/p1", A, text), pv("disk.img/p2", B, text)],
      ...[pv("copy.img/p1", A, text), pv("copy.img/p2", B, text)],
    ]);
    expect(names(opened).filter((name) => name!.endsWith("left"))).toEqual([
      "vg0@disk.img/left",
      "vg0@copy.img/left",
    ]);
  });

  test("of which one lacks a device are a whole one and a degraded one", async () => {
    const opened = await openGroup([...cloneIn("a/"), pv("b/d0.img", A, text)]);
    expect(names(opened)).toEqual(["vg0@a/left", "vg0@a/right", "vg0@a/both", "vg0@b/left"]);
    expect(codes(opened).filter((code) => code === "CEV_DEGRADED")).toHaveLength(3);
  });

  test("of one physical volume each may lie in one folder", async () => {
    const opened = await openGroup([pv("d.img", A, single(A, "g")), pv("copy.img", A, single(A, "g"))]);
    expect(names(opened)).toEqual(["vg0@d.img/root", "vg0@copy.img/root"]);
  });

  test.each([
    ["two devices beside each other", ["d0.img", "copy.img", "d1.img"], [A, A, B]],
    ["halves in folders of their own", ["a/d0.img", "b/d0.img", "c/d1.img"], [A, A, B]],
  ])("whose places do not say what belongs together are refused: %s", async (_, paths, uuids) => {
    const layers = paths.map((path, index) => pv(path, uuids[index]!, text));
    await expect(openGroup(layers)).rejects.toMatchObject({
      code: "CEV_AMBIGUOUS",
      message: expect.stringMatching(/d0\.img and (copy|b\/d0)\.img are the same physical volume/) as unknown,
      place: { hint: expect.stringMatching(/vgimportclone/) as unknown },
    });
  });

  test("without metadata of their own on some devices find those beside them", async () => {
    const inFolder = (folder: string): ImageLayer[] => [
      pv(`${folder}/d0`, A, text),
      pv(`${folder}/d1`, B, null),
    ];
    const opened = await openGroup([...inFolder("a"), ...inFolder("b")]);
    expect(names(opened)).toHaveLength(6);
    expect(codes(opened)).toEqual(["CEV_AMBIGUOUS"]);
  });
});

describe("groups of one name", () => {
  test("and different UUIDs are called by their places, and open by their UUIDs, too", async () => {
    const layers = [pv("d0", A, single(A, "g")), pv("d1", B, single(B, "h"))];
    expect(names(await openGroup(layers))).toEqual(["vg0@d0/root", "vg0@d1/root"]);
    expect(names(await openGroup(layers, { group: uuidOf("h") }))).toEqual(["vg0@d1/root"]);
    await expect(openGroup(layers, { group: "vg0" })).rejects.toMatchObject({ code: "CEV_AMBIGUOUS" });
  });

  test("whose devices lie mixed in one folder are called by the start of their UUIDs", async () => {
    const other = groupText({ ...base, uuid: uuidOf("h"), pvs: [uuidOf("c"), uuidOf("d")] });
    const layers = [...cloneIn(""), pv("e0", uuidOf("c"), other), pv("e1", uuidOf("d"), other)];
    const opened = await openGroup(layers, { volumes: ["left"] });
    expect(names(opened)).toEqual(["vg0@gggggg/left", "vg0@hhhhhh/left"]);
    expect(names(await openGroup(layers, { group: "vg0@hhhhhh", volumes: ["left"] }))).toEqual([
      "vg0@hhhhhh/left",
    ]);
  });
});

describe("places", () => {
  const split = (...paths: readonly (readonly [string, string])[]): string[][] | null =>
    splitByPlace(
      paths.map(([name, identity], scanIndex) => ({ scanIndex, name, identity })),
      () => false,
    )?.map((part) => part.map(({ name }) => name)) ?? null;

  test("without clones are one set, wherever they are", () => {
    expect(split(["a/x", "1"], ["b/y", "2"], ["z", "3"])).toEqual([["a/x", "b/y", "z"]]);
  });

  test("are folders, and what is beside the folders", () => {
    expect(split(["d0", "1"], ["d1", "2"], ["old/d0", "1"], ["old/d1", "2"])).toEqual([
      ["d0", "d1"],
      ["old/d0", "old/d1"],
    ]);
    expect(split(["a/0/p", "1"], ["a/1/p", "2"], ["b/0/p", "1"], ["b/1/p", "2"])).toEqual([
      ["a/0/p", "a/1/p"],
      ["b/0/p", "b/1/p"],
    ]);
  });

  test("get the names in which they differ", () => {
    const named = (...sets: readonly (readonly string[])[]): string[] | null =>
      namePlaces(sets.map((paths) => paths.map((name) => ({ name }))));
    expect(named(["/x/a/d0", "/x/a/d1"], ["/x/b/d0"])).toEqual(["a", "b"]);
    expect(named(["d0", "d1"], ["old/d0"])).toEqual([".", "old"]);
    expect(named(["x/a/b/d0"], ["x/c/d/d0"])).toEqual(["a:b", "c:d"]);
    expect(named(["x/d0"], ["x/d1"])).toEqual(["d0", "d1"]);
    expect(named(["x/d0", "x/d1"], ["x/d2"])).toBeNull();
  });
});
