import { isCevError } from "@cev/core";
import { describe, expect, test } from "vitest";
import { A, B, C } from "./support/base-group.ts";
import { AREA_SIZE, groupText, linear, makePv, segment, uuidOf, volume } from "./support/group-image.ts";
import { openGroup } from "./support/open.ts";
import type { Opened } from "./support/open.ts";

/** A mirror, a snapshot, RAID and stripes: of each at least one. */
const text = groupText({
  pvs: [A, B, C],
  volumes: {
    root: linear(uuidOf("r"), [
      [4, "pv0", 0],
      [4, "pv2", 0],
    ]),
    wide: volume(uuidOf("w"), [
      segment('type = "striped"\nstripe_count = 2\nstripe_size = 8\nstripes = ["pv0", 10, "pv1", 10]', 4),
    ]),
    store: linear(uuidOf("s"), [[2, "pv1", 20]], '["READ", "WRITE"]'),
    snapshot0: volume(uuidOf("0"), [
      segment('type = "snapshot"\nchunk_size = 8\norigin = "root"\ncow_store = "store"', 8),
    ]),
  },
});
const AREAS = [4096, 4096 + AREA_SIZE];
const NAMES = ["d0", "d1", "d2"];
// The first has two areas, the second one whose text wraps, the third none.
const layers = [
  makePv({ name: "d0", uuid: A, texts: [{ text }, { text, offset: 2048 }] }),
  makePv({ name: "d1", uuid: B, texts: [{ text, offset: AREA_SIZE - 1024 }] }),
  makePv({ name: "d2", uuid: C, texts: [] }),
];
const offsets = [[512, 2048], [AREA_SIZE - 1024]];

/** Where a byte of the text lies in an area. */
function textByte(device: number, area: number, at: number): number {
  const inArea = offsets[device]![area]! + at;
  return AREAS[area]! + (inArea < AREA_SIZE ? inArea : inArea - AREA_SIZE + 512);
}

type Flip = readonly [device: number, at: number];

/** Opens the group with bytes flipped; tells what came of it, and that nothing was written. */
async function openFlipped(flips: readonly Flip[]): Promise<Opened | Error> {
  const flip = (): void => flips.forEach(([device, at]) => (layers[device]!.bytes[at]! ^= 0x11));
  flip();
  try {
    return await openGroup(layers);
  } catch (error) {
    return error as Error;
  } finally {
    flip();
    expect(layers.map(({ writeCount }) => writeCount)).toEqual([0, 0, 0]);
  }
}

const usual = ["vg0/root", "vg0/wide"];

function expectOpened(
  opened: Opened | Error,
): readonly { readonly device: string; readonly message: string }[] {
  if (opened instanceof Error) throw opened;
  expect(opened.devices.map(({ name }) => name)).toEqual(expect.arrayContaining(usual));
  return opened.problems
    .filter(({ code }) => code === "CEV_BAD_METADATA")
    .map(({ device = "", message }) => ({ device, message }));
}

test("the group as it is has no problem with its metadata", async () => {
  expect(expectOpened(await openFlipped([]))).toEqual([]);
});

const places: readonly (readonly [string, number, number, (at: number) => number, number, number])[] = [
  ["each byte of the header of the first area", 0, 0, (at) => AREAS[0]! + at, 512, 1],
  ["each byte of the header of the second area", 0, 1, (at) => AREAS[1]! + at, 512, 1],
  ["some bytes of the text in the first area", 0, 0, (at) => textByte(0, 0, at), text.length + 1, 7],
  ["some bytes of the text in the second area", 0, 1, (at) => textByte(0, 1, at), text.length + 1, 7],
  ["each byte of the text that wraps", 1, 0, (at) => textByte(1, 0, at), text.length + 1, 1],
];

describe.each(places)("%s flipped in turn", (_, device, area, place, length, step) => {
  test("on its own: another area serves, and the damage is told with device, area and field", async () => {
    for (let at = 0; at < length; at += step) {
      const problems = expectOpened(await openFlipped([[device, place(at)]]));
      expect(problems).toEqual([
        {
          device: NAMES[device],
          message: expect.stringMatching(
            new RegExp(
              `^${NAMES[device]}, LVM2 metadata area ${area}, field \\S+ at byte \\d+.*used instead: LVM2`,
            ),
          ) as unknown,
        },
      ]);
    }
  });
});

test("each byte of the text flipped in every area: an error that names a device, an area and a byte", async () => {
  for (let at = 0; at <= text.length; at++) {
    const error = await openFlipped([
      [0, textByte(0, 0, at)],
      [0, textByte(0, 1, at)],
      [1, textByte(1, 0, at)],
    ]);
    expect(isCevError(error) && error.code).toBe("CEV_BAD_METADATA");
    expect(error).toMatchObject({
      place: { source: "d0", structure: "LVM2 metadata area 0", field: "text" },
    });
  }
});

test("bytes of each label flipped in turn: that device is left out and named, the rest opens", async () => {
  for (const [device, name] of NAMES.entries()) {
    for (let at = 512 + device; at < 1024; at += 3) {
      const opened = await openFlipped([[device, at]]);
      if (opened instanceof Error) throw opened;
      expect(opened.problems[0]).toMatchObject({ severity: "error", code: "CEV_BAD_METADATA", device: name });
      expect(opened.problems[0]!.message).toMatch(
        new RegExp(`^${name}, LVM2 label in sector 1, field \\S+ at byte \\d+`),
      );
      // What does not lie on it is not touched by that.
      const left = [[], ["vg0/root"], ["vg0/wide"]][device]!;
      expect(opened.devices.map(({ name: volumeName }) => volumeName)).toEqual(expect.arrayContaining(left));
    }
  }
});
