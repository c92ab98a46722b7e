import { CevError, MetadataError } from "@cev/core";
import type { Geometry } from "../levels/level.ts";
import { FeatureFlag } from "../metadata/superblock-features.ts";
import { superblockStructure } from "../metadata/superblock-fields.ts";
import { fieldPlace } from "../metadata/superblock-field-places.ts";
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
  /** What may be lost was accepted. */
  readonly isForced: boolean;
  /** The device of that name. */
  readonly targetOf: (name: string) => ScanTarget;
}

const SECTOR = 512;
const READ_ALL_THE_SAME = "the option force reads the members without it, where old and new may be mixed";
const PARTIAL_PARITY_LOGS = FeatureFlag.partialParityLog | FeatureFlag.multiplePartialParityLogs;

/**
 * Why an array may only be read although nothing is wrong with it, in words to follow "is read-only: "; null where it may
 * be written. Refuses, by name, what cannot be read for certain either.
 */
export async function readOnlyReason({
  assembly,
  geometry,
  isClean,
  isForced,
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
    const refusal = await journalRefusal(assembly, geometry, targetOf);
    if (refusal === null) return "it has a write journal, which is not kept up to date here";
    if (!isForced) throw refusal;
    return `${refusal.message}; that is ignored, because it is forced: what was written last may be lost, or old and new be mixed`;
  }
  return reshape === null ? null : "it is being reshaped: let the kernel finish that";
}

/**
 * Why an array with a journal cannot be read for certain; null: it can. The superblocks of such an array always say that
 * it is clean: what has not reached the members is in the journal.
 */
async function journalRefusal(
  { newest, journal, members, rebuilding }: Assembly<Candidate>,
  geometry: Geometry,
  targetOf: (name: string) => ScanTarget,
): Promise<CevError | null> {
  if (journal === null)
    return new CevError(
      "CEV_DEGRADED",
      "the array has a write journal, which is missing: what was written last may be there alone",
      { source: newest.name, hint: `give the journal device too; ${READ_ALL_THE_SAME}` },
    );
  if (isOlder(journal.superblock, newest.superblock))
    return new CevError(
      "CEV_DEGRADED",
      "the write journal is stale: it was left out before the last writes",
      {
        source: journal.name,
        hint: `let the kernel decide (mdadm --assemble --force goes without it); ${READ_ALL_THE_SAME}`,
      },
    );
  const { superblock, name } = journal;
  const array = { geometry, members, rebuilding, targetOf };
  if (await isJournalOnMembers({ target: targetOf(name), superblock }, array)) return null;
  const { name: field, at } = fieldPlace(superblock.version, "features");
  return new MetadataError(
    "the write journal holds writes that have not reached the members, or that cannot be compared with them",
    {
      source: name,
      structure: superblockStructure(superblock.version),
      field,
      byteOffset: superblock.superOffsetSectors * SECTOR + at,
      hint: `let a kernel assemble the array once (mdadm --assemble) and stop it: that writes them; ${READ_ALL_THE_SAME}`,
    },
    "CEV_UNKNOWN_FEATURE",
  );
}

function isOlder(journal: Superblock, newest: Superblock): boolean {
  return journal.eventCount + 1n < newest.eventCount;
}
