import type { Report } from "../report.ts";
import { benchLayerAllocation } from "./allocation.ts";
import { benchEndToEnd } from "./end-to-end.ts";
import { benchSectors } from "./sectors.ts";
import { benchUnlock } from "./unlock.ts";

/** Encrypted devices: what their sectors cost, what they do over NBD, and how long they take to unlock. */
export async function benchCrypt(report: Report): Promise<void> {
  await benchSectors(report);
  await benchLayerAllocation(report);
  await benchEndToEnd(report);
  await benchUnlock(report);
}
