import type { Check } from "../check.ts";
import { blockStatusChecks } from "./block-status.ts";
import { cacheChecks } from "./cache.ts";
import { disconnectChecks } from "./disconnect.ts";
import { exportNameChecks } from "./export-name.ts";
import { extendedChecks } from "./extended.ts";
import { flushChecks } from "./flush.ts";
import { greetingChecks } from "./greeting.ts";
import { infoChecks } from "./info.ts";
import { listChecks } from "./list.ts";
import { metaChecks } from "./meta.ts";
import { multiConnectionChecks } from "./multi-connection.ts";
import { optionChecks } from "./options.ts";
import { readChecks } from "./read.ts";
import { robustnessChecks } from "./robustness.ts";
import { structuredChecks } from "./structured.ts";
import { tlsChecks } from "./tls.ts";
import { trimChecks } from "./trim.ts";
import { writeChecks } from "./write.ts";
import { zeroesChecks } from "./zeroes.ts";

/** Every check, in the order in which they are done. */
export const CHECKS: readonly Check[] = [
  ...greetingChecks,
  ...optionChecks,
  ...listChecks,
  ...infoChecks,
  ...exportNameChecks,
  ...tlsChecks,
  ...structuredChecks,
  ...extendedChecks,
  ...metaChecks,
  ...readChecks,
  ...writeChecks,
  ...flushChecks,
  ...trimChecks,
  ...zeroesChecks,
  ...cacheChecks,
  ...blockStatusChecks,
  ...disconnectChecks,
  ...multiConnectionChecks,
  ...robustnessChecks,
];
