import { MetadataError } from "@cev/core";
import type { ScanTarget } from "./member-scan.ts";

const SECTOR = 512;
/** First four bytes of the anchor header of SNIA's Common RAID Disk Data Format, in the last sector, big-endian. */
const DDF_MAGIC = 0xde11de11;
/** What the anchor of Intel's firmware RAID begins with, in the last sector but one. */
const IMSM_SIGNATURE = "Intel Raid ISM Cfg Sig. ";

/**
 * Throws a `MetadataError` (`CEV_UNKNOWN_FEATURE`) for a device that belongs to a container of firmware RAID, of which md
 * keeps the members' metadata in a format of others.
 */
export async function refuseExternalMetadata(target: ScanTarget): Promise<void> {
  const { source, size } = target;
  const last = size - (size % SECTOR) - SECTOR;
  if (last < SECTOR) return;
  const bytes = await target.read(last - SECTOR, 2 * SECTOR);
  const text = String.fromCharCode(...bytes.subarray(0, IMSM_SIGNATURE.length));
  if (text === IMSM_SIGNATURE) throw refusal("an Intel firmware RAID (IMSM)", source, last - SECTOR);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  // Behind the magic, a checksum and a GUID stands the revision: "01.02.00".
  const revision = String.fromCharCode(...bytes.subarray(SECTOR + 32, SECTOR + 40));
  if (view.getUint32(SECTOR, false) === DDF_MAGIC && /^\d\d\.\d\d\.\d\d$/.test(revision))
    throw refusal("a DDF container", source, last);
}

function refusal(what: string, source: string, byteOffset: number): MetadataError {
  return new MetadataError(
    `it belongs to ${what}: only md's own superblocks are supported; let a Linux kernel assemble it (mdadm --assemble)`,
    { source, structure: "external RAID metadata", field: "signature", byteOffset },
    "CEV_UNKNOWN_FEATURE",
  );
}
