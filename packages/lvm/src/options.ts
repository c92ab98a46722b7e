import type { Details, StandardResult, StandardSchema } from "@cev/core";

/** Settings of the driver. */
export interface LvmOptions {
  /** Name or UUID of the group to open, or what several of one name are called ("vg0@backup"); null: every group found. */
  readonly group: string | null;
  /** Names of the volumes to open; null: all that are visible. */
  readonly volumes: readonly string[] | null;
  /**
   * Of volumes that lack a part, believe what is left although it is not known to be right: a RAID that was being written when
   * it was used last, a mirror without its first image.
   */
  readonly force?: boolean;
}

/** `LvmOptions` as a JSON Schema. */
export const lvmOptionsSchema: Details = {
  type: "object",
  additionalProperties: false,
  properties: {
    group: {
      type: "string",
      description:
        "Name or UUID of the volume group to open, or, where several have one name, that name with the place of its devices, such as vg0@backup; by default every group on the devices.",
    },
    volumes: {
      type: "array",
      items: { type: "string" },
      description:
        "Names of logical volumes to open, hidden ones too; one that cannot be opened is an error then. By default all that are visible, and those that cannot be opened are reported.",
    },
    force: {
      type: "boolean",
      default: false,
      description:
        "Of volumes that lack a part, believe what is left although it is not known to be right: a RAID that was being written when it was used last, a mirror without its first image. By default that is refused.",
    },
  },
};

/** Checks and completes `LvmOptions`. */
export const lvmOptions: StandardSchema<LvmOptions> = {
  "~standard": { version: 1, vendor: "cev", validate },
};

function validate(value: unknown): StandardResult<LvmOptions> {
  if (value === undefined || value === null) return { value: { group: null, volumes: null } };
  if (typeof value !== "object" || Array.isArray(value)) return issue("the options are an object");
  const { group = null, volumes = null, force = false, ...others } = value as Record<string, unknown>;
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) return issue("there is no such option", unknown);
  if (group !== null && typeof group !== "string")
    return issue("the name or UUID of a volume group", "group");
  if (typeof force !== "boolean") return issue("true or false", "force");
  const forced = force ? { force } : {};
  if (volumes === null) return { value: { group, volumes, ...forced } };
  if (!Array.isArray(volumes)) return issue("a list of names of logical volumes", "volumes");
  const names: unknown[] = volumes;
  if (!names.every((name) => typeof name === "string"))
    return issue("a list of names of logical volumes", "volumes");
  return { value: { group, volumes: names, ...forced } };
}

function issue(message: string, key?: string): StandardResult<LvmOptions> {
  return { issues: [key === undefined ? { message } : { message, path: [key] }] };
}
