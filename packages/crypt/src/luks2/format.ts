import { assert } from "@cev/core";
import type { HeaderDevice } from "../header/header-device.ts";
import type { NewLuksVolume } from "../header/new-volume.ts";
import { writeCopies } from "./commit.ts";
import { digestJson, keyslotJson, segmentJson } from "./encode-json.ts";
import { BINARY_LENGTH } from "./header.ts";
import { writeJson } from "./json-value.ts";
import type { JsonObject } from "./json-value.ts";
import type { Luks2Layout } from "./layout.ts";

/**
 * Makes a LUKS2 header: the keyslots' areas, flushed, then the second header copy, then the first, so that the device is found by its
 * first copy only when all is there. What the device held before has been wiped by the caller.
 */
export async function formatLuks2(
  device: HeaderDevice,
  volume: NewLuksVolume,
  layout: Luks2Layout,
): Promise<void> {
  assert(volume.segment.offset === layout.dataOffset, "the data begins where the layout says");
  const ids = volume.keyslots.map(({ slot }) => slot.id);
  const json: JsonObject = {
    keyslots: Object.fromEntries(volume.keyslots.map(({ slot }) => [slot.id, keyslotJson(slot)])),
    tokens: {},
    segments: { "0": segmentJson(volume.segment) },
    digests: { "0": digestJson({ ...volume.digest, keyslots: ids, segments: [0] }) },
    config: {
      json_size: String(layout.metadataSize - BINARY_LENGTH),
      keyslots_size: String(layout.keyslotsSize),
      ...(volume.flags.length === 0 ? {} : { flags: [...volume.flags] }),
    },
  };
  for (const { slot, area } of volume.keyslots) await device.writeDurably(slot.area.offset, area);
  const header = {
    headerSize: layout.metadataSize,
    sequenceId: 1n,
    label: volume.label,
    checksumAlgorithm: "sha256",
    uuid: volume.uuid,
    subsystem: volume.subsystem,
  };
  await writeCopies(device, header, writeJson(json), "secondary");
}
