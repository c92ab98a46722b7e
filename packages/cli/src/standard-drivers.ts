import { blockSizeDriver, byteSwapDriver, compressDriver } from "@cev/convert";
import { cryptDriver } from "@cev/crypt";
import { driveLinkDriver } from "@cev/drive-link";
import { fileDriver } from "@cev/hw-file";
import { ramdiskDriver } from "@cev/hw-ramdisk";
import { lvmDriver } from "@cev/lvm";
import { nbdDriver } from "@cev/nbd";
import { raidDriver } from "@cev/raid";
import { snapshotDriver } from "@cev/snapshot";
import { DriverRegistry, partitionsDriver } from "@cev/stack";
import { thinDriver } from "@cev/thin";
import { KIT_DRIVERS } from "./kit-drivers.ts";

/** The drivers that the command knows by name. Unknown images are shown to them in this order, from the outer to the inner. */
export function standardDrivers(): DriverRegistry {
  const drivers = [
    fileDriver,
    ramdiskDriver,
    nbdDriver,
    raidDriver,
    cryptDriver,
    lvmDriver,
    partitionsDriver,
    snapshotDriver,
    thinDriver,
    driveLinkDriver,
    blockSizeDriver,
    byteSwapDriver,
    compressDriver,
  ];
  return new DriverRegistry(drivers, KIT_DRIVERS);
}
