import { CevError } from "@cev/core";
import type { HeaderDevice } from "../header/header-device.ts";
import type { Keyslot, LuksVolume } from "../header/luks-volume.ts";
import { splitEncryption } from "../luks1/format.ts";
import {
  LUKS1_DIGEST_LENGTH,
  LUKS1_KEYSLOT_COUNT,
  LUKS1_SALT_LENGTH,
  LUKS1_STRIPES,
  luks1AreaSize,
} from "../luks1/header.ts";
import type { Luks1Header } from "../luks1/header.ts";
import { luks2VolumeOf } from "../luks2/copies.ts";
import type { Luks2Copies } from "../luks2/copies.ts";
import { AREA_ALIGNMENT } from "../luks2/layout.ts";

const OFFSET_MAX = 0xffff_ffff * 512;
// What else stands there says something that LUKS1 has no words for.
const KNOWN_MEMBERS: Readonly<Record<string, readonly string[]>> = {
  "": ["keyslots", "tokens", "segments", "digests", "config"],
  config: ["json_size", "keyslots_size", "flags", "requirements"],
};

/**
 * What a LUKS2 header says as one of LUKS1, without keyslots. Throws `CEV_NOT_SUPPORTED` for anything that LUKS1 cannot say: the
 * conditions of `cryptsetup convert`, and labels, flags and priorities, which would be lost.
 */
export function luks1HeaderFrom(
  device: HeaderDevice,
  copies: Luks2Copies,
): { readonly header: Omit<Luks1Header, "keyslots">; readonly volume: LuksVolume } {
  const volume = luks2VolumeOf(copies);
  const refuse = (reason: string, hint?: string): never => {
    throw new CevError("CEV_NOT_SUPPORTED", `this LUKS2 header cannot become one of LUKS1: ${reason}`, {
      source: device.name,
      ...(hint === undefined ? {} : { hint }),
    });
  };
  checkPlain(copies, volume, refuse);
  const { segment, digests, keyslots } = volume;
  if (segment.sectorSize !== 512) refuse(`its sectors have ${segment.sectorSize} bytes, not 512`);
  if (segment.size !== null) refuse("its data has a fixed size");
  if (segment.ivTweak !== 0) refuse("its sectors are not numbered from 0");
  if (segment.offset > OFFSET_MAX) refuse("its data begins too far behind");
  const [digest, another] = digests;
  if (digest === undefined || another !== undefined || digest.id !== 0)
    return refuse("it has another digest than number 0, of an unbound key");
  const { hash, salt, iterations } = digest.kdf;
  if (salt.length !== LUKS1_SALT_LENGTH) refuse(`the salt of its digest has ${salt.length} bytes, not 32`);
  if (digest.digest.length < LUKS1_DIGEST_LENGTH) refuse("its digest is shorter than 20 bytes");
  const [first] = keyslots;
  if (first === undefined) return refuse("it has no keyslot");
  const { keySize } = first;
  for (const slot of keyslots) {
    const reason = keyslotProblem(slot, { keySize, hash, encryption: segment.encryption });
    if (reason !== null) refuse(`keyslot ${slot.id} ${reason.message}`, reason.hint);
    if (!digest.keyslots.includes(slot.id)) refuse(`keyslot ${slot.id} is unbound`);
  }
  return {
    volume,
    header: {
      ...splitEncryption(segment.encryption),
      hash,
      payloadOffset: segment.offset,
      keySize,
      // The first bytes of a longer derivation are those of the shorter one.
      digest: digest.digest.slice(0, LUKS1_DIGEST_LENGTH),
      digestSalt: salt,
      digestIterations: iterations,
      uuid: copies.header.uuid,
    },
  };
}

type Refuse = (reason: string, hint?: string) => never;

/** Nothing may be there that would be lost. */
function checkPlain({ root, header, other }: Luks2Copies, volume: LuksVolume, refuse: Refuse): void {
  if (other !== "same") refuse("its two copies do not agree", "repair the header first");
  if (volume.tokens.length > 0) refuse("it has tokens", "remove them first");
  if (header.label !== "" || header.subsystem !== "")
    refuse("it has a label or a subsystem, which LUKS1 has not", "take them away first (config --label)");
  if (volume.flags.length > 0) refuse("it keeps flags for activation, which LUKS1 does not");
  for (const [path, names] of Object.entries(KNOWN_MEMBERS)) {
    const field = path === "" ? root : root.member(path);
    const strange = field.members().find(([name]) => !names.includes(name));
    if (strange !== undefined) refuse(`it has ${JSON.stringify(strange[0])}, which is not known here`);
  }
  // Keyslots that cannot be used were left out of the volume.
  const ids = new Set(volume.keyslots.map(({ id }) => String(id)));
  const strange = root
    .member("keyslots")
    .members()
    .find(([id]) => !ids.has(id));
  if (strange !== undefined)
    refuse(`keyslot ${JSON.stringify(strange[0])} is of a kind that is not known here`);
}

function keyslotProblem(
  slot: Keyslot,
  shared: { readonly keySize: number; readonly hash: string; readonly encryption: string },
): { readonly message: string; readonly hint?: string } | null {
  const { kdf, area, keySize } = slot;
  if (slot.id >= LUKS1_KEYSLOT_COUNT) return { message: "is in use; LUKS1 has keyslots 0 to 7" };
  if (kdf.type !== "pbkdf2")
    return {
      message: `derives its key by ${kdf.type}`,
      hint: "convert it with luksConvertKey --pbkdf pbkdf2 first",
    };
  if (kdf.hash !== shared.hash || slot.splitHash !== shared.hash)
    return { message: `does not have the hash of the digest, ${shared.hash}` };
  if (kdf.salt.length !== LUKS1_SALT_LENGTH)
    return { message: `has a salt of ${kdf.salt.length} bytes, not 32` };
  if (slot.stripes !== LUKS1_STRIPES) return { message: `has ${slot.stripes} stripes, not ${LUKS1_STRIPES}` };
  if (area.encryption !== shared.encryption || area.keySize !== keySize || keySize !== shared.keySize)
    return { message: "is encrypted in another way than the data" };
  if (area.size !== Math.ceil(luks1AreaSize(keySize) / AREA_ALIGNMENT) * AREA_ALIGNMENT)
    return { message: `has an area of ${area.size} bytes` };
  if (slot.priority !== "normal")
    return {
      message: "has a priority, which LUKS1 has not",
      hint: "make it normal first (config --priority)",
    };
  return null;
}
