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
import { blockStatusRefusedChecks } from "./block-status-refused.ts";
import { extendedStatusChecks } from "./extended-status.ts";
import { infoFactsChecks } from "./info-facts.ts";
import { metaRefusedChecks } from "./meta-refused.ts";
import { requestChecks } from "./requests.ts";
import { structuredPartsChecks } from "./structured-parts.ts";
import { tlsModesChecks } from "./tls-modes.ts";

/** Every check, in the order in which they are done. */
export const CHECKS: readonly Check[] = [
  ...greetingChecks,
  ...optionChecks,
  ...listChecks,
  ...infoChecks,
  ...infoFactsChecks,
  ...exportNameChecks,
  ...tlsChecks,
  ...tlsModesChecks,
  ...structuredChecks,
  ...structuredPartsChecks,
  ...extendedChecks,
  ...extendedStatusChecks,
  ...metaChecks,
  ...metaRefusedChecks,
  ...readChecks,
  ...requestChecks,
  ...writeChecks,
  ...flushChecks,
  ...trimChecks,
  ...zeroesChecks,
  ...cacheChecks,
  ...blockStatusChecks,
  ...blockStatusRefusedChecks,
  ...disconnectChecks,
  ...multiConnectionChecks,
  ...robustnessChecks,
];
