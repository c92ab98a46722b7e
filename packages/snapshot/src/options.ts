import type { Details, StandardResult, StandardSchema } from "@cev/core";

/** One snapshot, by the order of the stores among the lowers. */
export interface SnapshotSetting {
  readonly name: string;
  /** Bytes; null: as the store says, or 16 KiB for a new one. */
  readonly chunkSize: number | null;
  /** Bytes; null: the origin's. */
  readonly size: number | null;
  /** It is being merged into the origin, which already shows it. */
  readonly isMerging: boolean;
}

/** Settings of the driver. */
export interface SnapshotDriverOptions {
  /** Null: each lower after the first is a store, with nothing said about it. */
  readonly snapshots: readonly SnapshotSetting[] | null;
}

/** `SnapshotDriverOptions` as a JSON Schema. */
export const SNAPSHOT_OPTIONS_SCHEMA: Details = {
  type: "object",
  additionalProperties: false,
  properties: {
    snapshots: {
      type: "array",
      minItems: 1,
      description:
        "One for each lower after the first, in their order: the first lower is the origin, the others are stores. By default one for each store, named snapshot, or snapshot0 and on.",
      items: {
        type: "object",
        additionalProperties: false,
        required: ["name"],
        properties: {
          name: {
            type: "string",
            pattern: "^[^/]+$",
            description: "What the snapshot is called.",
          },
          chunkSize: {
            type: "integer",
            minimum: 512,
            description:
              "Bytes that are copied together, a power of two. What the store says counts more; 16384 for a new one.",
          },
          size: {
            type: "integer",
            minimum: 1,
            description: "Bytes that the snapshot shows; by default all of the origin.",
          },
          isMerging: {
            type: "boolean",
            default: false,
            description:
              "The snapshot is being merged into its origin, which shows what it holds; at most one.",
          },
        },
      },
    },
  },
};

/** Checks and completes `SnapshotDriverOptions`. */
export const SNAPSHOT_OPTIONS: StandardSchema<SnapshotDriverOptions> = {
  "~standard": { version: 1, vendor: "cev", validate },
};

/** The name of the device that is the origin. */
export const ORIGIN_NAME = "origin";

interface Issue {
  readonly message: string;
  readonly path: readonly PropertyKey[];
}

function validate(value: unknown): StandardResult<SnapshotDriverOptions> {
  if (value === undefined || value === null) return { value: { snapshots: null } };
  if (!isRecord(value)) return { issues: [{ message: "the options are an object" }] };
  const { snapshots, ...others } = value;
  const issues: Issue[] = Object.keys(others).map((key) => ({
    message: "there is no such option",
    path: [key],
  }));
  if (snapshots === undefined) return issues.length > 0 ? { issues } : { value: { snapshots: null } };
  if (!Array.isArray(snapshots) || snapshots.length === 0)
    return { issues: [...issues, { message: "a list of at least one snapshot", path: ["snapshots"] }] };
  const settings = snapshots.map((one: unknown, index) => settingOf(one, index, issues));
  checkTogether(settings, issues);
  return issues.length > 0 ? { issues } : { value: { snapshots: settings } };
}

function settingOf(value: unknown, index: number, issues: Issue[]): SnapshotSetting {
  const path = ["snapshots", index];
  const setting: SnapshotSetting = { name: "", chunkSize: null, size: null, isMerging: false };
  if (!isRecord(value)) {
    issues.push({ message: "an object with a name", path });
    return setting;
  }
  const { name, chunkSize = null, size = null, isMerging = false, ...others } = value;
  for (const key of Object.keys(others))
    issues.push({ message: "there is no such option", path: [...path, key] });
  if (typeof name !== "string" || !/^[^/]+$/.test(name))
    issues.push({ message: "a name without a slash", path: [...path, "name"] });
  if (
    chunkSize !== null &&
    !(isWhole(chunkSize) && chunkSize >= 512 && Number.isInteger(Math.log2(chunkSize)))
  )
    issues.push({ message: "a power of two from 512 on", path: [...path, "chunkSize"] });
  if (size !== null && !(isWhole(size) && size > 0))
    issues.push({ message: "a whole number of bytes", path: [...path, "size"] });
  if (typeof isMerging !== "boolean") issues.push({ message: "true or false", path: [...path, "isMerging"] });
  return {
    name: typeof name === "string" ? name : "",
    chunkSize: typeof chunkSize === "number" ? chunkSize : null,
    size: typeof size === "number" ? size : null,
    isMerging: isMerging === true,
  };
}

function checkTogether(settings: readonly SnapshotSetting[], issues: Issue[]): void {
  for (const [index, { name, isMerging }] of settings.entries()) {
    const earlier = settings.slice(0, index);
    const path = ["snapshots", index];
    if (name !== "" && earlier.some((other) => other.name === name))
      issues.push({ message: `${name} is the name of another snapshot`, path: [...path, "name"] });
    if (isMerging && earlier.some((other) => other.isMerging))
      issues.push({ message: "only one snapshot can be merged at a time", path: [...path, "isMerging"] });
  }
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isWhole = (value: unknown): value is number => typeof value === "number" && Number.isSafeInteger(value);
