import type { Report } from "../report.ts";
import { benchUnlock } from "./unlock.ts";

/** Encrypted devices: how long they take to unlock. */
export async function benchCrypt(report: Report): Promise<void> {
  await benchUnlock(report);
}
