import { CevError, Device, formatError, isCevError } from "@cev/core";
import type { Environment, Finding, Problem } from "@cev/core";
import type { AnyDriver, DriverRegistry } from "../registry.ts";
import type { DeviceRecord } from "../stack-device.ts";

/** What became of asking every driver about one device. */
export interface Answer {
  readonly finding: { readonly driver: AnyDriver; readonly finding: Finding } | null;
  readonly problems: readonly Problem[];
}

/**
 * Asks the drivers in their order; the first that knows the device gets it. A driver that knows it and cannot accept it is a
 * problem: an error when nobody else accepts it either, else a warning.
 */
export async function askDrivers(
  record: DeviceRecord,
  drivers: DriverRegistry,
  environment: Environment,
): Promise<Answer> {
  const problems: Problem[] = [];
  const device = await Device.open(record.layer!, environment, { name: record.name, isReadOnly: true });
  try {
    for (const driver of drivers) {
      if (driver.probe === undefined || isOwnChild(driver, record)) continue;
      try {
        const finding = await driver.probe(device);
        if (finding !== null) {
          return {
            finding: { driver, finding },
            problems: problems.map((one) => ({ ...one, severity: "warning" })),
          };
        }
      } catch (error) {
        problems.push(problemOf(error, record.name));
        // What cannot be read now cannot be read for the next driver either.
        if (isCevError(error) && error.place.op !== undefined) break;
      }
    }
  } finally {
    await device.close();
  }
  return { finding: null, problems };
}

/** What one driver says of a device; null: nothing, or nothing good. */
export async function askDriver(
  record: DeviceRecord,
  driver: AnyDriver,
  environment: Environment,
): Promise<Finding | null> {
  if (driver.probe === undefined) return null;
  const device = await Device.open(record.layer!, environment, { name: record.name, isReadOnly: true });
  try {
    return await driver.probe(device);
  } finally {
    await device.close();
  }
}

/** A partition holds no partition table: what looks like one there is the boot sector of a file system. */
function isOwnChild(driver: AnyDriver, record: DeviceRecord): boolean {
  return driver.yieldsChildren === true && driver.lowers.countMax === 1 && record.driver === driver.name;
}

/** What was thrown, as a problem; an error that does not say where it arose gets the device's name. */
export function problemOf(error: unknown, device: string): Problem {
  const isCev = isCevError(error);
  const told =
    isCev && error.place.source === undefined
      ? new CevError(error.code, error.message, { ...error.place, source: device })
      : error;
  return {
    severity: "error",
    code: isCev ? error.code : "CEV_PROGRAM",
    message: isCev ? formatError(told) : `${device}: ${formatError(error)}`,
    device,
  };
}
