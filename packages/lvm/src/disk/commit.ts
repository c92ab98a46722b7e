import { CevError, formatError, isCevError } from "@cev/core";
import type { AbortSignalLike } from "@cev/core";
import type { AreaCommit, CommitPlan } from "./commit-plan.ts";
import { MDA_HEADER_LENGTH, decodeMdaHeader, encodeMdaHeader } from "./mda.ts";
import type { MdaHeader, TextLocation } from "./mda.ts";
import type { PvScan } from "./scan.ts";

/** A physical volume as a commit writes it; a core `Device` is one. */
export interface CommitDevice {
  read(offset: number, length: number): Promise<Uint8Array>;
  write(offset: number, bytes: Uint8Array): Promise<void>;
  /** What was written before it survives a power cut. */
  flush(): Promise<void>;
}

/** How a commit is done. */
export interface CommitOptions {
  readonly deviceOf: (scan: PvScan) => CommitDevice;
  /** Until the new text is in force in one area, an abort leaves the old one. */
  readonly signal?: AbortSignalLike | undefined;
}

/** An area that did not get the new text although another one did: it is out of date until the next commit. */
export interface FailedArea {
  readonly area: AreaCommit;
  readonly error: unknown;
}

/**
 * Puts a new text in force by LVM2's protocol, in three rounds over all areas, each flushed before the next: the text into the
 * rings, behind the one in force; its place into the headers as precommitted; its place as committed. A power cut at any
 * write leaves the old text or the new one, for LVM2, too: until a header has the new place the old one counts, and from
 * then on the newest does. Resolves when the text is in force in at least one area, with the areas where that failed.
 * Throws the first error of the rounds before; then the old text is still in force.
 */
export async function commitText(plan: CommitPlan, options: CommitOptions): Promise<readonly FailedArea[]> {
  await checkUnchanged(plan, options);
  checkAborted(plan, options);
  await strictRound(plan, options, async ({ textWrites }, device) => {
    for (const { offset, bytes } of textWrites) await device.write(offset, bytes);
  });
  try {
    checkAborted(plan, options);
    await strictRound(plan, options, async ({ header, location }, device) => {
      await writeHeader(device, { ...header, precommitted: location });
    });
    checkAborted(plan, options);
  } catch (error) {
    // The precommitted place means nothing to anybody; without it the area is as it was.
    await round(plan, options, async ({ header }, device) => {
      await writeHeader(device, { ...header, precommitted: null });
    });
    throw error;
  }
  const failed = await round(plan, options, async ({ header, location }, device) => {
    await writeHeader(device, { ...header, committed: location, precommitted: null });
  });
  if (failed.length === plan.areas.length) throw uncertain(plan, failed[0]?.error);
  return failed;
}

/** Since the scan nobody else may have changed the areas. */
async function checkUnchanged({ group, areas }: CommitPlan, { deviceOf }: CommitOptions): Promise<void> {
  const looks = await Promise.allSettled(
    areas.map(async ({ scan, area, header }) => {
      // A damaged header is to be replaced whatever it is.
      if (area.error !== null) return;
      const place = {
        source: scan.source.name,
        structure: `LVM2 metadata area ${area.index}`,
        byteOffset: header.start,
      };
      const bytes = await deviceOf(scan).read(header.start, MDA_HEADER_LENGTH);
      const now = decodeMdaHeader(bytes, place);
      if (isSameText(now.committed, header.committed) && isSameText(now.precommitted, header.precommitted))
        return;
      throw new CevError(
        "CEV_BUSY",
        `the metadata of ${group} on ${scan.source.name} were changed meanwhile`,
        {
          ...place,
          hint: "look at the group again before changing it",
        },
      );
    }),
  );
  // Whoever is told of it may close the devices: nothing may be under way on them then.
  for (const look of looks) if (look.status === "rejected") throw look.reason;
}

function isSameText(left: TextLocation | null, right: TextLocation | null): boolean {
  if (left === null || right === null) return left === right;
  return left.offset === right.offset && left.size === right.size && left.checksum === right.checksum;
}

function checkAborted({ group }: CommitPlan, { signal }: CommitOptions): void {
  if (signal?.aborted === true)
    throw new CevError("CEV_CANCELLED", `the change of ${group} was cancelled; the group is as it was`);
}

type Step = (area: AreaCommit, device: CommitDevice) => Promise<void>;

/** One step for each area, and a flush of each device behind them; the areas where either failed. */
async function round({ areas }: CommitPlan, options: CommitOptions, step: Step): Promise<FailedArea[]> {
  const byScan = Map.groupBy(areas, ({ scan }) => scan);
  const results = await Promise.all(
    [...byScan].map(async ([scan, own]): Promise<FailedArea[]> => {
      const device = options.deviceOf(scan);
      const failed: FailedArea[] = [];
      for (const area of own) {
        try {
          await step(area, device);
        } catch (error) {
          failed.push({ area, error });
        }
      }
      try {
        await device.flush();
      } catch (error) {
        return own.map((area) => ({ area, error }));
      }
      return failed;
    }),
  );
  return results.flat();
}

async function strictRound(plan: CommitPlan, options: CommitOptions, step: Step): Promise<void> {
  const [failed] = await round(plan, options, step);
  if (failed !== undefined) throw failed.error;
}

async function writeHeader(device: CommitDevice, header: MdaHeader): Promise<void> {
  await device.write(header.start, encodeMdaHeader(header));
}

/** The last round failed everywhere: the old text or the new one is in force. */
function uncertain({ group, seqno }: CommitPlan, error: unknown): CevError {
  const reason = error instanceof Error ? formatError(error) : String(error);
  return new CevError(
    isCevError(error) ? error.code : "CEV_IO",
    `whether the change of ${group} to number ${seqno} took place is not known: ${reason}`,
    { cause: error, hint: "look at the group again" },
  );
}
