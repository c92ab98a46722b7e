import { CevError, isCevError } from "@cev/core";
import { parseCipher } from "../cipher/cipher-spec.ts";
import type { HeaderDevice } from "../header/header-device.ts";
import { hashLength } from "../key/hash.ts";
import {
  LUKS1_KEYSLOT_COUNT,
  LUKS1_STRIPES,
  decodeLuks1Header,
  isEnabledAt,
  luks1Encryption,
  luks1KeyslotAt,
  markDisabled,
} from "./header.ts";
import type { Luks1Header } from "./header.ts";
import { LUKS1_AREA_ALIGNMENT, luks1Areas } from "./layout.ts";
import { damagedKeyslot, readLuks1Header, refuseDamagedUuid } from "./volume.ts";

const SECTOR = 512;
const LENGTH = 1024;
// Only for these it is known where keyslots lie.
const KEY_SIZES: readonly number[] = [16, 32, 64];
/** A partition table written over the header ends with these two bytes at 510, in the salt of keyslot 6. */
const PARTITION_TABLE_END = 0xaa55;

/**
 * Puts right what is known to go wrong in LUKS1 headers, as `cryptsetup repair` does: free keyslots whose place or stripes are
 * damaged (where they belong follows from the size of the key), names of hashes in capitals, and an initialisation vector with ecb, which
 * has none. Keyslots in use stay as they are. Returns what was done, in words; nothing when the header has no such fault. Throws
 * `CEV_BAD_METADATA` when it cannot be repaired; nothing is written then.
 */
export async function repairLuks1(device: HeaderDevice): Promise<readonly string[]> {
  const before = Uint8Array.from(await device.read(0, LENGTH));
  const bytes = before.slice();
  const view = new DataView(bytes.buffer);
  const done: string[] = [...repairNames(bytes)];
  if (done.length === 0) {
    const sound = await soundHeader(device);
    if (sound !== null) {
      refuseDamaged(device, sound);
      return [];
    }
  }
  const keySize = view.getUint32(108);
  if (!KEY_SIZES.includes(keySize))
    throw cannot(device, "key-bytes", 108, `keys of ${keySize} bytes have no usual places for keyslots`);
  if (view.getUint32(luks1KeyslotAt(0) + 40) < LUKS1_AREA_ALIGNMENT / SECTOR)
    throw cannot(
      device,
      "keyslot 0 key-material-offset",
      luks1KeyslotAt(0) + 40,
      "the keyslots are not where they usually are",
    );
  done.push(...repairFreeKeyslots(bytes, keySize));
  checkRepaired(device, bytes);
  for (const at of [0, SECTOR]) {
    const sector = bytes.subarray(at, at + SECTOR);
    if (Buffer.compare(sector, before.subarray(at, at + SECTOR)) !== 0) await device.writeDurably(at, sector);
  }
  return done;
}

function* repairNames(bytes: Uint8Array): Generator<string> {
  const mode = textAt(bytes, 40, 32);
  if (mode.startsWith("ecb-")) {
    bytes.fill(0, 40, 72);
    bytes.set(Buffer.from("ecb"), 40);
    yield `the cipher mode is now ecb, which takes no initialisation vector`;
  }
  const hash = textAt(bytes, 72, 32);
  if (hash !== hash.toLowerCase()) {
    bytes.set(Buffer.from(hash.toLowerCase(), "latin1"), 72);
    yield "the name of the hash is now in small letters";
  }
}

function* repairFreeKeyslots(bytes: Uint8Array, keySize: number): Generator<string> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const areas = luks1Areas(keySize);
  const hasPartitionTable = view.getUint16(510, true) === PARTITION_TABLE_END;
  for (let id = 0; id < LUKS1_KEYSLOT_COUNT; id++) {
    const at = luks1KeyslotAt(id);
    if (isEnabledAt(view, id)) continue;
    const offset = areas[id]!.offset / SECTOR;
    const faults: string[] = [];
    if (view.getUint32(at + 40) !== offset) faults.push(`its area is now at sector ${offset}`);
    if (view.getUint32(at + 44) !== LUKS1_STRIPES) faults.push(`it has ${LUKS1_STRIPES} stripes`);
    if (id === 6 && hasPartitionTable)
      faults.push("the end of a partition table has been taken out of its salt");
    if (faults.length === 0) continue;
    markDisabled(view, id, offset * SECTOR);
    yield `free keyslot ${id}: ${faults.join(", ")}`;
  }
}

/** The header, when it can be used as it is. */
async function soundHeader(device: HeaderDevice): Promise<Luks1Header | null> {
  try {
    return await readLuks1Header(device);
  } catch (error) {
    if (isCevError(error) && error.code === "CEV_BAD_METADATA") return null;
    throw error;
  }
}

/** What would be written must be a header that can be used, with a cipher and a hash that are known. */
function checkRepaired(device: HeaderDevice, bytes: Uint8Array): void {
  try {
    const header = decodeLuks1Header(bytes, device.name);
    refuseDamagedKeyslot(device, header);
    parseCipher(luks1Encryption(header), header.keySize);
    hashLength(header.hash);
  } catch (error) {
    if (!isCevError(error)) throw error;
    throw cannot(
      device,
      error.place.field ?? "cipher-name",
      error.place.byteOffset ?? 8,
      `what remains is not usable: ${error.message}`,
    );
  }
}

/** What has no fault that is known, and is wrong all the same. */
function refuseDamaged(device: HeaderDevice, header: Luks1Header): void {
  refuseDamagedKeyslot(device, header);
  refuseDamagedUuid(device.name, header);
  if (header.payloadOffset <= device.size) return;
  const message = `the data would begin at byte ${header.payloadOffset}, behind the end of the device at byte ${device.size}`;
  throw cannot(
    device,
    "payload-offset",
    104,
    message,
    "nothing is wrong with a detached header, whose data is on another device; else restore the header from a backup",
  );
}

/** Whether such a keyslot is in use nobody can say. */
function refuseDamagedKeyslot({ name }: HeaderDevice, { keyslots }: Luks1Header): void {
  const id = keyslots.findIndex(({ state }) => state === "damaged");
  if (id >= 0) throw damagedKeyslot(name, id);
}

function textAt(bytes: Uint8Array, at: number, length: number): string {
  const field = Buffer.from(bytes.subarray(at, at + length));
  const end = field.indexOf(0);
  return field.toString("latin1", 0, end < 0 ? length : end);
}

function cannot(
  device: HeaderDevice,
  field: string,
  byteOffset: number,
  message: string,
  hint = "restore the header from a backup",
): CevError {
  return new CevError("CEV_BAD_METADATA", `the LUKS1 header cannot be repaired: ${message}`, {
    source: device.name,
    structure: "LUKS1 header",
    field,
    byteOffset,
    hint,
  });
}
