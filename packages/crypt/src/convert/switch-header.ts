import type { HeaderDevice } from "../header/header-device.ts";
import type { CommonHeader } from "../luks2/commit.ts";
import { encodeLuks2Header } from "../luks2/header.ts";

// What decides between the versions lies in the first sector, which a power cut leaves either old or new.
const SECTOR = 512;

/**
 * Turns a LUKS1 device whose second LUKS2 copy is already there into LUKS2: the first sector, flushed, then the rest of the first copy.
 * In between the first copy is damaged, and the second counts.
 */
export async function replaceFirstCopy(
  device: HeaderDevice,
  header: CommonHeader,
  json: string,
): Promise<void> {
  const salt = new Uint8Array(64);
  device.random(salt);
  const copy = encodeLuks2Header(
    { ...header, isPrimary: true, headerOffset: 0, salt, checksum: new Uint8Array(0) },
    json,
  );
  await device.writeDurably(0, copy.subarray(0, SECTOR));
  await device.writeDurably(SECTOR, copy.subarray(SECTOR));
}

/**
 * Turns a LUKS2 device into LUKS1: the second sector of the LUKS1 header, flushed, then the first. In between the first copy of the
 * LUKS2 header is damaged, and the second counts.
 */
export async function replaceByLuks1(device: HeaderDevice, header: Uint8Array): Promise<void> {
  const sectors = new Uint8Array(2 * SECTOR);
  sectors.set(header);
  await device.writeDurably(SECTOR, sectors.subarray(SECTOR));
  await device.writeDurably(0, sectors.subarray(0, SECTOR));
}
