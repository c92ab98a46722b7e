import { isCevError } from "@cev/core";
import { describe, expect, test } from "vitest";
import { lvmCrc } from "../src/index.ts";
import { layersOf, loadGolden } from "./support/golden.ts";
import { openGroup } from "./support/open.ts";
import type { Opened } from "./support/open.ts";

const golden = loadGolden("lvm");
const { facts } = golden.manifest;
const textOffset = Number(facts["mda.textOffset"]);
const textSize = Number(facts["mda.textSize"]);
const ringSize = Number(facts["mda.size"]);
const AREA = 4096;

/** Where each byte of the text lies on the device: it wraps. */
const textBytes = Array.from({ length: textSize }, (_, index) => {
  const at = textOffset + index;
  return AREA + (at < ringSize ? at : at - ringSize + 512);
});
const label = Array.from({ length: 512 }, (_, index) => 512 + index);
const header = Array.from({ length: 512 }, (_, index) => AREA + index);

const layers = layersOf(golden);

/** Opens the group with one byte flipped on some devices; tells what came of it, and that nothing was written. */
async function openFlipped(
  at: number,
  devices: readonly number[],
  repair: (bytes: Uint8Array) => void = () => {},
): Promise<Opened | Error> {
  for (const index of devices) {
    layers[index]!.bytes[at]! ^= 0x04;
    repair(layers[index]!.bytes);
  }
  try {
    return await openGroup(layers);
  } catch (error) {
    return error as Error;
  } finally {
    for (const index of devices) {
      layers[index]!.bytes[at]! ^= 0x04;
      repair(layers[index]!.bytes);
    }
    expect(layers.map(({ writeCount }) => writeCount)).toEqual([0, 0]);
  }
}

/** Makes the checksums of text and header right again. */
function repairChecksums(bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer);
  view.setUint32(AREA + 56, lvmCrc(Uint8Array.from(textBytes, (at) => bytes[at]!)), true);
  view.setUint32(AREA, lvmCrc(bytes.subarray(AREA + 4, AREA + 512)), true);
}

describe.each([
  ["label", label],
  ["area header", header],
  ["text", textBytes],
])("each byte of the %s flipped in turn", (what, places) => {
  test("on one device: the rest serves, and the damage is told with device and structure", async () => {
    for (const at of places) {
      const opened = await openFlipped(at, [0]);
      if (opened instanceof Error) throw opened;
      const [first] = opened.problems;
      expect(first).toMatchObject({ code: "CEV_BAD_METADATA", device: "disk0.img" });
      expect(first!.message).toMatch(
        /^disk0\.img, LVM2 (label in sector 1|metadata area 0), field .* at byte \d+/,
      );
      // Without its label a device is none of the group's; without its area it is found by its UUID.
      expect(opened.devices.map(({ name }) => name)).toEqual(
        what === "label" ? ["vg1/name25"] : ["vg1/linear", "vg1/between", "vg1/name25"],
      );
      if (what !== "label")
        expect(first!.message).toContain("used instead: LVM2 metadata area 0 of disk1.img");
    }
  });

  test("on both devices: an error that names device, structure and byte", async () => {
    for (const at of places) {
      const error = await openFlipped(at, [0, 1]);
      expect(isCevError(error) && error.code).toBe("CEV_BAD_METADATA");
      expect(error).toMatchObject({
        place: {
          source: "disk0.img",
          structure: expect.stringMatching(/^LVM2 (label|metadata area)/) as unknown,
        },
      });
    }
  });
});

test("each byte of the text flipped on both devices, its checksums made right: what is wrong has line and column", async () => {
  let openedCount = 0;
  let refusedCount = 0;
  for (const at of textBytes) {
    const opened = await openFlipped(at, [0, 1], repairChecksums);
    if (opened instanceof Error) {
      refusedCount++;
      expect(opened).toMatchObject({
        code: expect.stringMatching(/^CEV_(BAD_METADATA|UNKNOWN_FEATURE)$/) as unknown,
      });
      if (isCevError(opened) && opened.code === "CEV_BAD_METADATA") {
        expect(opened.message).toMatch(/^line \d+, column \d+: /);
        expect(opened.place).toMatchObject({
          source: "disk0.img",
          structure: "LVM2 metadata area 0",
          field: "text",
        });
        // What is missing at the end of the text is missing behind its last byte.
        expect([...textBytes, textBytes.at(-1)! + 1]).toContain(opened.place.byteOffset);
      }
    } else {
      openedCount++;
    }
  }
  // Comments, times and names may be anything; structure may not.
  expect(openedCount).toBeGreaterThan(100);
  expect(refusedCount).toBeGreaterThan(500);
});
