import type { Check } from "../check.ts";
import { exportNameChecks } from "./export-name.ts";
import { greetingChecks } from "./greeting.ts";
import { infoChecks } from "./info.ts";
import { listChecks } from "./list.ts";
import { optionChecks } from "./options.ts";
import { readChecks } from "./read.ts";
import { structuredChecks } from "./structured.ts";
import { writeChecks } from "./write.ts";

/** Every check, in the order in which they are done. */
export const CHECKS: readonly Check[] = [
  ...greetingChecks,
  ...optionChecks,
  ...listChecks,
  ...infoChecks,
  ...exportNameChecks,
  ...structuredChecks,
  ...readChecks,
  ...writeChecks,
];
