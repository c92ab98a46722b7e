import { CevError, isCevError } from "@cev/core";

/** Drivers of others, and their layers, throw whatever they like: as an error that names the driver. */
export function ownError(driverName: string, error: unknown): CevError {
  if (isCevError(error)) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new CevError("CEV_PROGRAM", `the driver ${driverName} failed: ${message}`, { cause: error });
}

/** What opening a device's layer threw, with the driver and the place of the device where it says neither. `driverName` null: nobody made it. */
export function openingError(driverName: string | null, where: string, error: unknown): unknown {
  if (driverName === null) return error;
  const told = ownError(driverName, error);
  if (told.place.source !== undefined) return told;
  return new CevError(told.code, told.message, { ...told.place, source: where, cause: error });
}
