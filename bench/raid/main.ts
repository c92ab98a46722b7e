import type { Report } from "../report.ts";
import { benchMirrors } from "./array-mirror.ts";
import { benchParity } from "./parity.ts";

/** md RAID: the parity kernels, and whole arrays. */
export async function benchRaid(report: Report): Promise<void> {
  await benchParity(report);
  await benchMirrors(report);
}
