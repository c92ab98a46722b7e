import type { Report } from "../report.ts";
import { benchMirrors } from "./array-mirror.ts";
import { benchParity } from "./array-parity.ts";
import { benchKernels } from "./parity.ts";

/** md RAID: the parity kernels, and whole arrays. */
export async function benchRaid(report: Report): Promise<void> {
  await benchKernels(report);
  await benchMirrors(report);
  await benchParity(report);
}
