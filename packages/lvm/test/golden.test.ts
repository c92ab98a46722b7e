import { createHash } from "node:crypto";
import { Device } from "@cev/core";
import { describe, expect, test } from "vitest";
import { lvmDriver } from "../src/index.ts";
import { layersOf, loadGolden } from "./support/golden.ts";
import { environment, openGroup, readAll } from "./support/open.ts";

const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

describe("a group made by LVM2, whose text wraps around the end of its ring", () => {
  const golden = loadGolden("lvm");
  const expected = golden.manifest.layers.map(({ name, size, sha256: hash }) => ({ name, size, hash }));

  test.each(["in order", "in reverse"])(
    "S4 every volume is read to the last byte, devices %s",
    async (order) => {
      const layers = layersOf(golden);
      const { devices, problems } = await openGroup(order === "in order" ? layers : layers.toReversed());
      const found = [];
      for (const { name, layer } of devices) {
        const bytes = await readAll(layer);
        found.push({ name, size: bytes.length, hash: sha256(bytes) });
      }
      expect(found.toSorted((left, right) => (left.name! < right.name! ? -1 : 1))).toEqual(expected);
      expect(problems).toEqual([]);
      expect(layers.map(({ writeCount }) => writeCount)).toEqual([0, 0]);
    },
  );

  test("each device is recognised and names its group", async () => {
    for (const layer of layersOf(golden)) {
      await using device = await Device.open(layer, environment, { isReadOnly: true });
      const finding = await lvmDriver.probe!(device);
      expect(finding).toMatchObject({
        summary: "LVM2 physical volume, VG vg1",
        group: golden.manifest.facts["vg.uuid"],
        details: { group: { seqno: Number(golden.manifest.facts["vg.seqno"]) } },
      });
    }
  });
});
