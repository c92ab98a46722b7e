/**
 * A RAID6 in memory loses two members, is rebuilt onto new ones, and holds what it held.
 *
 *     node main.ts
 */
import { environmentFrom } from "@cev/core";
import { loseTwoAndRebuild } from "./rebuild.ts";

const { wrongWhileDegraded, wrongAfterwards, mismatches } = await loseTwoAndRebuild(
  environmentFrom(globalThis),
  (line) => void process.stdout.write(`${line}\n`),
);
process.exitCode = wrongWhileDegraded + wrongAfterwards + mismatches === 0 ? 0 : 1;
