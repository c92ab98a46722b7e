import { describe, expect, test } from "vitest";
import { headerDevice } from "../src/header/header-device.ts";
import { openLuks2Editor } from "../src/luks2/editor.ts";
import { repairLuks2 } from "../src/luks2/repair.ts";
import {
  COPY,
  OTHER_UUID,
  STATES,
  UUID,
  copiesOf,
  environment,
  renamedVolume,
  smallVolume,
  volumeOfTwo,
} from "./small-volume.ts";
import { WriteRecorder } from "./write-recorder.ts";

describe("repair", () => {
  const options = { isDryRun: false, uuid: null };

  test.each(STATES)("%s", async (_name, other, damage) => {
    const image = await smallVolume();
    damage(image);
    const before = await copiesOf(image);
    const recorder = new WriteRecorder(environment, image);
    const device = headerDevice(recorder, environment);
    const dry = await repairLuks2(device, { isDryRun: true, uuid: null });
    expect(recorder.writeCount).toBe(0);
    expect(await repairLuks2(device, options)).toEqual(dry);
    expect(dry).toHaveLength(other === "same" ? 0 : 1);
    expect(recorder.writeCount).toBe(dry.length);
    const after = await copiesOf(recorder.bytes);
    expect({ other: after.other, sequenceId: after.header.sequenceId }).toEqual({
      other: "same",
      sequenceId: before.header.sequenceId,
    });
    expect(Buffer.from(after.root.source()).equals(before.root.source())).toBe(true);
    // Cut short, it leaves what was there.
    for (const crash of recorder.crashImages(3, 10))
      expect((await copiesOf(crash.image)).header.sequenceId).toBe(before.header.sequenceId);
    expect(await repairLuks2(device, options)).toEqual([]);
  });

  test("a UUID that came into one copy only is taken into the other: both are of one volume key", async () => {
    const image = await renamedVolume();
    expect(await copiesOf(image)).toMatchObject({ other: "outdated", header: { uuid: OTHER_UUID } });
    const recorder = new WriteRecorder(environment, image);
    expect(await repairLuks2(headerDevice(recorder, environment), options)).toHaveLength(1);
    expect(await copiesOf(recorder.bytes)).toMatchObject({ other: "same", header: { uuid: OTHER_UUID } });
    // Whoever wants the former one back says so.
    const back = new WriteRecorder(environment, image);
    expect(await repairLuks2(headerDevice(back, environment), { ...options, uuid: UUID })).toHaveLength(1);
    expect(await copiesOf(back.bytes)).toMatchObject({ other: "same", header: { uuid: UUID } });
    // Nor is it a reason to change nothing.
    const renamed = new WriteRecorder(environment, image);
    await (await openLuks2Editor(headerDevice(renamed, environment))).rename({ uuid: UUID });
    expect(await copiesOf(renamed.bytes)).toMatchObject({ other: "same", header: { uuid: UUID } });
    for (const crash of renamed.crashImages(3, 10))
      expect(["same", "outdated", "damaged"]).toContain((await copiesOf(crash.image)).other);
  });

  test("copies of two devices: only the UUID says which one is kept", async () => {
    const image = await volumeOfTwo();
    for (const uuid of [null, "00000000-0000-4000-8000-000000000000"]) {
      const recorder = new WriteRecorder(environment, image);
      await expect(
        repairLuks2(headerDevice(recorder, environment), { isDryRun: false, uuid }),
      ).rejects.toMatchObject({
        code: "CEV_BAD_METADATA",
        place: { field: "uuid" },
      });
      expect(recorder.writeCount).toBe(0);
    }
    for (const uuid of [UUID, OTHER_UUID]) {
      const recorder = new WriteRecorder(environment, image);
      expect(await repairLuks2(headerDevice(recorder, environment), { isDryRun: false, uuid })).toHaveLength(
        1,
      );
      expect(await copiesOf(recorder.bytes)).toMatchObject({ other: "same", header: { uuid } });
    }
  });

  test("two copies that are damaged are not repaired", async () => {
    const image = await smallVolume();
    for (const at of [0, COPY]) image.fill(1, at + 5000, at + 5001);
    const recorder = new WriteRecorder(environment, image);
    await expect(repairLuks2(headerDevice(recorder, environment), options)).rejects.toMatchObject({
      code: "CEV_BAD_METADATA",
    });
    expect(recorder.writeCount).toBe(0);
  });
});
