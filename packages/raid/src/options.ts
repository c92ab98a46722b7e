import type { Details, StandardResult, StandardSchema } from "@cev/core";
import { RAID_CREATE_SCHEMA, createOptionIssue } from "./create-option.ts";
import type { RaidCreateOption } from "./create-option.ts";
import { DM_RAID_SCHEMA, dmRaidIssue } from "./dm-raid/dm-raid-option.ts";
import type { DmRaidOption } from "./dm-raid/dm-raid-option.ts";
import { parseUuid } from "./metadata/identity.ts";

/** Settings of the driver, as in a stack file. The order of the members does not matter. */
export interface RaidOptions {
  /** The array to assemble, where members of several were given. */
  readonly uuid?: string;
  /** Write although a member is missing. */
  readonly degraded?: boolean;
  /**
   * Believe the parity of a degraded array that was not shut down cleanly, and read an array without what its write
   * journal holds: what was being written then may read wrong.
   */
  readonly force?: boolean;
  /** How a RAID0 of unequal members is laid out whose superblocks do not say. */
  readonly layout?: "original" | "alternate";
  /** Makes the array where none of its members carries anything; otherwise it is assembled. */
  readonly create?: RaidCreateOption;
  /** A RAID volume of LVM instead, whose members are the lowers as it says: their order matters then. */
  readonly dmRaid?: DmRaidOption;
}

/** The options as a JSON Schema. */
export const RAID_OPTIONS_SCHEMA: Details = {
  type: "object",
  additionalProperties: false,
  properties: {
    uuid: {
      type: "string",
      pattern: "^[:-]*(?:[0-9a-fA-F][:-]*){32}$",
      description: "The UUID of the array to assemble, where members of several were given.",
    },
    degraded: { type: "boolean", default: false, description: "Write although a member is missing." },
    force: {
      type: "boolean",
      default: false,
      description:
        "Believe the parity of a degraded array that was not shut down cleanly, and read an array without what its write journal holds: what was being written then may read wrong.",
    },
    layout: {
      enum: ["original", "alternate"],
      description: "How a RAID0 of unequal members is laid out whose superblocks do not say.",
    },
    create: RAID_CREATE_SCHEMA,
    dmRaid: DM_RAID_SCHEMA,
  },
};

const FLAGS = ["degraded", "force"] as const;

/** The options as a Standard Schema. */
export const RAID_OPTIONS: StandardSchema<RaidOptions> = {
  "~standard": { version: 1, vendor: "cev", validate },
};

function validate(value: unknown): StandardResult<RaidOptions> {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    return { issues: [{ message: "the options must be an object" }] };
  const issues: { message: string; path: string[] }[] = [];
  const given = value as Record<string, unknown>;
  for (const key of Object.keys(given)) {
    const option = given[key];
    if (option === undefined) continue;
    if (key === "uuid") {
      if (typeof option !== "string" || parseUuid(option) === null)
        issues.push({ message: "must be a UUID of 32 hexadecimal digits", path: [key] });
    } else if (FLAGS.some((flag) => flag === key)) {
      if (typeof option !== "boolean") issues.push({ message: "must be true or false", path: [key] });
    } else if (key === "layout") {
      if (option !== "original" && option !== "alternate")
        issues.push({ message: "must be original or alternate", path: [key] });
    } else if (key === "create" || key === "dmRaid") {
      const issue = key === "create" ? createOptionIssue(option) : dmRaidIssue(option);
      if (issue !== null)
        issues.push({ message: issue.message, path: issue.key === null ? [key] : [key, issue.key] });
    } else {
      issues.push({ message: "is not an option of @cev/raid", path: [key] });
    }
  }
  if (given["dmRaid"] !== undefined && (given["create"] ?? given["uuid"]) !== undefined)
    issues.push({ message: "does not go with create or uuid", path: ["dmRaid"] });
  return issues.length > 0 ? { issues } : { value: given };
}
