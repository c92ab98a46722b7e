import type { Details } from "@cev/core";
import { describeKdf } from "../key/kdf.ts";
import type { LuksVolume } from "./luks-volume.ts";

const PLURAL = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? "" : "s"}`;

/** Whoever made the header chose these texts: nothing in them may steer a terminal. */
export function printable(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, "\u{fffd}");
}

/** In a few words: "LUKS2 <uuid>, 2 keyslots". */
export function summarize(volume: LuksVolume): string {
  return `LUKS${volume.version} ${volume.uuid}, ${PLURAL(volume.keyslots.length, "keyslot")}`;
}

/** The facts in a header that are no secret, under names like those of `cryptsetup luksDump`. */
export function detailsOf(volume: LuksVolume): Details {
  const { segment } = volume;
  const digest = volume.digests.find(({ segments }) => segments.includes(0));
  return {
    version: volume.version,
    uuid: volume.uuid,
    label: printable(volume.label),
    subsystem: printable(volume.subsystem),
    flags: volume.flags,
    cipher: segment.encryption,
    keyBits: (volume.keyslots.find(({ id }) => digest?.keyslots.includes(id))?.keySize ?? 0) * 8,
    sectorSize: segment.sectorSize,
    dataOffset: segment.offset,
    dataSize: segment.size,
    keyslots: volume.keyslots.map((slot) => ({
      id: slot.id,
      keyBits: slot.keySize * 8,
      priority: slot.priority,
      kdf: slot.kdf.type,
      cost: describeKdf(slot.kdf),
      stripes: slot.stripes,
      splitHash: slot.splitHash,
      areaOffset: slot.area.offset,
      areaSize: slot.area.size,
      areaCipher: slot.area.encryption,
      isBound: digest?.keyslots.includes(slot.id) ?? false,
    })),
    digests: volume.digests.map(({ id, kdf }) => ({ id, kdf: kdf.type, cost: describeKdf(kdf) })),
    tokens: volume.tokens.map(({ id, type, keyslots }) => ({ id, type, keyslots })),
  };
}
