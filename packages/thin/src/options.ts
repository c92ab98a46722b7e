import type { Details, StandardResult, StandardSchema } from "@cev/core";

/** One volume of a pool. */
export interface ThinVolumeOption {
  /** What it is to be called. */
  readonly name: string;
  /** What the pool calls it: a number from 0 to 2^24 - 1. */
  readonly deviceId: number;
  /** Bytes. The pool does not keep it. */
  readonly size: number;
  /** Index, among the lowers, of the device that holds what was never written to this volume. Default: zeroes. */
  readonly externalOrigin?: number;
}

/** Settings of the driver. */
export interface ThinOptions {
  /** Bytes; must be what the pool says. Default: what the pool says. */
  readonly chunkSize?: number;
  /** The transaction that whoever manages the pool knows of: where the pool is at another, that is reported. */
  readonly transactionId?: number;
  readonly volumes: readonly ThinVolumeOption[];
}

const DEVICE_ID_MAX = 2 ** 24 - 1;

/** `ThinOptions` as a JSON Schema. */
export const THIN_OPTIONS_SCHEMA: Details = {
  type: "object",
  additionalProperties: false,
  required: ["volumes"],
  properties: {
    chunkSize: { type: "integer", minimum: 65_536, description: "Bytes; must be what the pool says." },
    transactionId: {
      type: "integer",
      minimum: 0,
      description: "The transaction that whoever manages the pool knows of: a difference is reported.",
    },
    volumes: {
      type: "array",
      minItems: 1,
      description: "The volumes to open.",
      items: {
        type: "object",
        additionalProperties: false,
        required: ["name", "deviceId", "size"],
        properties: {
          name: { type: "string", minLength: 1, description: "What it is to be called." },
          deviceId: {
            type: "integer",
            minimum: 0,
            maximum: DEVICE_ID_MAX,
            description: "What the pool calls it.",
          },
          size: { type: "integer", minimum: 512, description: "Bytes; the pool does not keep it." },
          externalOrigin: {
            type: "integer",
            minimum: 2,
            description: "Index, among the lowers, of the device that holds what was never written here.",
          },
        },
      },
    },
  },
};

/** Checks `ThinOptions`. */
export const THIN_OPTIONS: StandardSchema<ThinOptions> = {
  "~standard": { version: 1, vendor: "cev", validate },
};

function validate(value: unknown): StandardResult<ThinOptions> {
  if (!isRecord(value)) return issue("the options are an object");
  const { chunkSize, transactionId, volumes, ...others } = value;
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) return issue("there is no such option", unknown);
  if (!isWhole(chunkSize ?? 65_536, 65_536)) return issue("bytes, at least 65536", "chunkSize");
  if (!isWhole(transactionId ?? 0, 0)) return issue("a whole number", "transactionId");
  if (!Array.isArray(volumes) || volumes.length === 0) return issue("a list of volumes", "volumes");
  for (const [index, volume] of (volumes as readonly unknown[]).entries()) {
    const found = volumeIssue(volume);
    if (found !== null) return { issues: [{ message: found[1], path: ["volumes", index, found[0]] }] };
  }
  return { value: value as unknown as ThinOptions };
}

/** The key and what belongs there; null: all is well. */
function volumeIssue(value: unknown): readonly [string, string] | null {
  if (!isRecord(value)) return ["name", "a volume is an object"];
  const { name, deviceId, size, externalOrigin, ...others } = value;
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) return [unknown, "there is no such option"];
  if (typeof name !== "string" || name === "") return ["name", "a name"];
  if (!isWhole(deviceId, 0, DEVICE_ID_MAX)) return ["deviceId", `a number from 0 to ${DEVICE_ID_MAX}`];
  if (!isWhole(size, 512)) return ["size", "bytes, at least 512"];
  if (!isWhole(externalOrigin ?? 2, 2)) return ["externalOrigin", "an index from 2 on: 0 and 1 are the pool"];
  return null;
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const isWhole = (value: unknown, min: number, max: number = Number.MAX_SAFE_INTEGER): boolean =>
  typeof value === "number" && Number.isSafeInteger(value) && value >= min && value <= max;

function issue(message: string, key?: string): StandardResult<ThinOptions> {
  return { issues: [key === undefined ? { message } : { message, path: [key] }] };
}
