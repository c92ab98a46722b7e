import { CevError } from "@cev/core";
import type { HeaderDevice } from "../header/header-device.ts";
import type { Keyslot } from "../header/luks-volume.ts";
import type { NewLuksVolume } from "../header/new-volume.ts";
import {
  LUKS1_DIGEST_LENGTH,
  LUKS1_KEYSLOT_COUNT,
  LUKS1_SALT_LENGTH,
  LUKS1_STRIPES,
  encodeLuks1Header,
  luks1Encryption,
} from "./header.ts";
import type { Luks1Header, Luks1Keyslot } from "./header.ts";
import type { Luks1Layout } from "./layout.ts";
import { Luks1HeaderWriter } from "./write-header.ts";

/**
 * Makes a LUKS1 header: the keyslots' areas, flushed, then the header. What the device held before has been wiped by the caller. Throws
 * `CEV_INVALID` for what LUKS1 cannot express, before anything is written.
 */
export async function formatLuks1(
  device: HeaderDevice,
  volume: NewLuksVolume,
  layout: Luks1Layout,
): Promise<void> {
  const header = newHeader(volume, layout);
  for (const { slot } of volume.keyslots) checkLuks1Keyslot(header, slot);
  const bytes = encodeLuks1Header(header);
  for (const { slot, area } of volume.keyslots) await device.writeDurably(slot.area.offset, area);
  await (await Luks1HeaderWriter.open(device)).writeNew(bytes);
}

/** Throws `CEV_INVALID` unless this keyslot can stand in this header, where what it says of the cipher and the hash is said once. */
export function checkLuks1Keyslot(header: Luks1Header, slot: Keyslot): void {
  const { kdf, area } = slot;
  const problems: [isWrong: boolean, message: string][] = [
    [kdf.type !== "pbkdf2", `derives keys by pbkdf2, not by ${kdf.type}`],
    [kdf.type === "pbkdf2" && kdf.hash !== header.hash.toLowerCase(), `has one hash for all: ${header.hash}`],
    [slot.splitHash !== header.hash.toLowerCase(), `has one hash for all: ${header.hash}`],
    [kdf.salt.length !== LUKS1_SALT_LENGTH, `has salts of ${LUKS1_SALT_LENGTH} bytes`],
    [slot.stripes !== LUKS1_STRIPES, `has ${LUKS1_STRIPES} stripes`],
    [
      slot.keySize !== header.keySize || area.keySize !== header.keySize,
      `has keys of ${header.keySize} bytes`,
    ],
    [
      area.encryption !== luks1Encryption(header),
      `encrypts keyslots as the data: ${luks1Encryption(header)}`,
    ],
    [slot.priority !== "normal", "has no priorities of keyslots"],
    [area.offset !== header.keyslots[slot.id]?.offset, "has a fixed place for each keyslot"],
  ];
  const found = problems.find(([isWrong]) => isWrong);
  if (found !== undefined) throw invalid(`keyslot ${slot.id} cannot be made: this LUKS1 header ${found[1]}`);
}

/** As it stands in the header. */
export function luks1KeyslotFrom({ kdf, area }: Keyslot): Luks1Keyslot {
  if (kdf.type !== "pbkdf2") throw invalid("LUKS1 derives keys by pbkdf2");
  return { state: "enabled", iterations: kdf.iterations, salt: kdf.salt, offset: area.offset };
}

/** "aes-xts-plain64" as the two fields of the header. Throws `CEV_INVALID` when they are too long for it. */
export function splitEncryption(encryption: string): Pick<Luks1Header, "cipherName" | "cipherMode"> {
  const dash = encryption.indexOf("-");
  const cipherName = dash < 0 ? encryption : encryption.slice(0, dash);
  const cipherMode = dash < 0 ? "" : encryption.slice(dash + 1);
  if (![cipherName, cipherMode].every((text) => /^[\x20-\x7e]{0,31}$/.test(text)) || cipherName === "")
    throw invalid(`the cipher ${JSON.stringify(encryption)} does not fit a LUKS1 header`);
  return { cipherName, cipherMode };
}

function newHeader(volume: NewLuksVolume, layout: Luks1Layout): Luks1Header {
  const { segment, digest, keySize } = volume;
  const { hash, iterations, salt } = digest.kdf;
  if (volume.label !== "" || volume.subsystem !== "") throw invalid("LUKS1 has neither label nor subsystem");
  if (volume.flags.length > 0) throw invalid("LUKS1 keeps no flags");
  if (segment.sectorSize !== 512) throw invalid("LUKS1 has sectors of 512 bytes");
  if (segment.size !== null || segment.ivTweak !== 0)
    throw invalid("LUKS1 data goes to the end of the device, and is numbered from 0");
  if (segment.offset !== layout.dataOffset || keySize !== layout.keySize)
    throw invalid("the volume does not fit the layout");
  if (salt.length !== LUKS1_SALT_LENGTH || digest.digest.length !== LUKS1_DIGEST_LENGTH)
    throw invalid("the digest of LUKS1 has 20 bytes, and its salt 32");
  if (volume.keyslots.length > LUKS1_KEYSLOT_COUNT) throw invalid("LUKS1 has eight keyslots");
  const made = new Map(volume.keyslots.map(({ slot }) => [slot.id, luks1KeyslotFrom(slot)]));
  return {
    ...splitEncryption(segment.encryption),
    hash,
    payloadOffset: layout.dataOffset,
    keySize,
    digest: digest.digest,
    digestSalt: salt,
    digestIterations: iterations,
    uuid: volume.uuid,
    keyslots: layout.areas.map(({ offset }, id) => made.get(id) ?? freeLuks1Keyslot(offset)),
  };
}

/** A keyslot without a key, as a new header has it. */
export function freeLuks1Keyslot(offset: number): Luks1Keyslot {
  return { state: "disabled", iterations: 0, salt: new Uint8Array(LUKS1_SALT_LENGTH), offset };
}

function invalid(message: string): CevError {
  return new CevError("CEV_INVALID", message);
}
