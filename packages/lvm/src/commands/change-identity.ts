import { CevError } from "@cev/core";
import { planCommit } from "../disk/commit-plan.ts";
import { clearedArea } from "../disk/pv-layout.ts";
import type { AreaScan, PvScan } from "../disk/scan.ts";
import { onDevice } from "./new-members.ts";
import type { NewText, Performance } from "./perform.ts";
import { Session } from "./session.ts";

/**
 * Puts a text in force whose group has another UUID than before. Copies of both side by side would be two groups that claim the same
 * physical volumes; so first only one area keeps the old text, then that one gets the new text in one step, then the others.
 */
export async function commitIdentity(
  session: Session,
  performance: Performance,
  scans: readonly PvScan[],
  text: NewText,
): Promise<void> {
  const usable = scans.flatMap((scan) =>
    scan.areas.filter((area) => area.copy !== null).map((area) => ({ scan, area })),
  );
  // The one that stays must have the text in force, not one that is out of date.
  const seqnoOf = ({ area }: { readonly area: AreaScan }): number => area.copy!.identity.seqno;
  usable.sort((a, b) => seqnoOf(b) - seqnoOf(a));
  const [keeper, ...others] = usable;
  if (keeper === undefined)
    throw new CevError("CEV_DEGRADED", `no physical volume here has metadata of ${text.group.name}`);
  await performance.write(
    others.map(({ scan, area }) =>
      onDevice(session, scan.source.name, clearedArea(area.area), `header of metadata area ${area.index}`),
    ),
  );
  const first = onlyArea(keeper.scan, { ...keeper.area, copy: null });
  await performance.commit(planCommit({ scans: [first], text: text.text }));
  if (others.length === 0) return;
  const rest = performance.isDryRun ? scans : (await rescan(session)).scans;
  const remaining = rest.flatMap((scan) => {
    if (!scans.some(({ source }) => source.name === scan.source.name)) return [];
    const areas = scan.areas.filter(
      ({ index }) => scan.source.name !== keeper.scan.source.name || index !== keeper.area.index,
    );
    // In a dry run the others still have the old text.
    return [{ ...scan, areas: areas.map((area) => ({ ...area, copy: null })) }];
  });
  await performance.commit(planCommit({ scans: remaining, text: text.text }));
}

function onlyArea(scan: PvScan, area: AreaScan): PvScan {
  return { ...scan, areas: [area] };
}

/** The devices as they are now; what there is to report was reported. */
export function rescan(session: Session): Promise<Session> {
  return Session.open({ ...session.context, report: () => undefined });
}
