import { CevError } from "@cev/core";
import type { Geometry } from "../levels/level.ts";
import { FeatureFlag } from "../metadata/superblock-features.ts";
import type { ScanTarget } from "../metadata/member-scan.ts";
import type { Superblock } from "../metadata/superblock.ts";
import { refuseField } from "./geometry.ts";
import { isJournalOnMembers } from "./journal-check.ts";
import type { Assembly, Candidate } from "./assemble.ts";

/** An array that is about to be opened. */
export interface Opening {
  readonly assembly: Assembly<Candidate>;
  readonly geometry: Geometry;
  readonly isClean: boolean;
  /** The device of that name. */
  readonly targetOf: (name: string) => ScanTarget;
}

const PARTIAL_PARITY_LOGS = FeatureFlag.partialParityLog | FeatureFlag.multiplePartialParityLogs;

/**
 * Why an array may only be read although nothing is wrong with it, in words to follow "is read-only: "; null where it may
 * be written. Refuses, by name, what cannot be read for certain either.
 */
export async function readOnlyReason({
  assembly,
  geometry,
  isClean,
  targetOf,
}: Opening): Promise<string | null> {
  const { newest } = assembly;
  const { features, reshape } = newest.superblock;
  if ((features & FeatureFlag.bitmapVersioned) !== 0)
    refuseField(
      newest,
      "features",
      "it uses a bitmap shared by a cluster, which is not supported: another node may be writing it",
      "CEV_UNKNOWN_FEATURE",
    );
  if ((features & PARTIAL_PARITY_LOGS) !== 0) {
    if (!isClean)
      refuseField(
        newest,
        "features",
        "it uses a partial parity log and was not shut down cleanly: only the kernel can put that right (mdadm --assemble)",
        "CEV_UNKNOWN_FEATURE",
      );
    return "it has a partial parity log, which is not kept up to date here";
  }
  if ((features & FeatureFlag.journal) !== 0) {
    await checkJournal(assembly, geometry, targetOf);
    return "it has a write journal, which is not kept up to date here";
  }
  return reshape === null ? null : "it is being reshaped: let the kernel finish that";
}

/** The superblocks of such an array always say that it is clean: what has not reached the members is in the journal. */
async function checkJournal(
  { newest, journal, members }: Assembly<Candidate>,
  geometry: Geometry,
  targetOf: (name: string) => ScanTarget,
): Promise<void> {
  if (journal === null)
    throw new CevError(
      "CEV_DEGRADED",
      "the array has a write journal, which is missing: what was written last may be there alone",
      { source: newest.name, hint: "give the journal device too" },
    );
  if (isOlder(journal.superblock, newest.superblock))
    throw new CevError("CEV_DEGRADED", "the write journal is stale: it was left out before the last writes", {
      source: journal.name,
      hint: "let the kernel decide (mdadm --assemble --force goes without it)",
    });
  const { superblock, name } = journal;
  const array = { geometry, members, targetOf };
  if (await isJournalOnMembers({ target: targetOf(name), superblock }, array)) return;
  refuseField(
    journal,
    "features",
    members.includes(null)
      ? "the array has a write journal, and a member is missing: what the journal holds cannot be compared with it"
      : "the write journal holds writes that have not reached the members: only the kernel can put that right (mdadm --assemble)",
    "CEV_UNKNOWN_FEATURE",
  );
}

function isOlder(journal: Superblock, newest: Superblock): boolean {
  return journal.eventCount + 1n < newest.eventCount;
}
