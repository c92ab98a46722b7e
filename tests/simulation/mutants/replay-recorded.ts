// Runs the recorded run of a planted defect in a process in which it is planted; prints what it finds, as JSON.
import { NAMED_KINDS } from "../kinds/index.ts";
import { findingsOf, recordedRuns } from "./recorded.ts";

const run = recordedRuns()[process.argv[2] ?? ""];
if (run === undefined) throw new Error("of which defect? pnpm sim --mutant NAME --record records one");
console.log(JSON.stringify(await findingsOf(run, NAMED_KINDS)));
