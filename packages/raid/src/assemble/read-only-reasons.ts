import { CevError } from "@cev/core";
import { FeatureFlag } from "../metadata/superblock-features.ts";
import { journalIsEmpty } from "../metadata/journal.ts";
import type { ScanTarget } from "../metadata/member-scan.ts";
import type { Superblock } from "../metadata/superblock.ts";
import { refuseField } from "./geometry.ts";
import type { Assembly, Candidate } from "./assemble.ts";

const PARTIAL_PARITY_LOGS = FeatureFlag.partialParityLog | FeatureFlag.multiplePartialParityLogs;

/**
 * Why an array may only be read although nothing is wrong with it, in words to follow "is read-only: "; null where it may
 * be written. Refuses, by name, what cannot be read for certain either.
 */
export async function readOnlyReason(
  assembly: Assembly<Candidate>,
  isClean: boolean,
  targetOf: (name: string) => ScanTarget,
): Promise<string | null> {
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
    await checkJournal(assembly, targetOf);
    return "it has a write journal, which is not kept up to date here";
  }
  return reshape === null ? null : "it is being reshaped: let the kernel finish that";
}

/** The superblocks of such an array always say that it is clean: what has not reached the members is in the journal. */
async function checkJournal(
  { newest, journal }: Assembly<Candidate>,
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
  if (await journalIsEmpty(targetOf(journal.name), journal.superblock)) return;
  refuseField(
    journal,
    "features",
    "the write journal holds writes that have not reached the members: only the kernel can put that right (mdadm --assemble)",
    "CEV_UNKNOWN_FEATURE",
  );
}

function isOlder(journal: Superblock, newest: Superblock): boolean {
  return journal.eventCount + 1n < newest.eventCount;
}
