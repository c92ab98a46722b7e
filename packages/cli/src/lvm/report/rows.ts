import { freeSegment } from "./column.ts";
import type { ReportRow } from "./column.ts";
import type { GroupView, PvView } from "./group-view.ts";
import { needs } from "./report.ts";
import type { ReportKind, ReportPlan } from "./report.ts";

/** What was found: groups, and physical volumes of none. */
export interface FoundGroups {
  readonly groups: readonly GroupView[];
  readonly orphans: readonly PvView[];
}

/** Which of it a report is to show. */
export interface RowChoice {
  /** Hidden volumes, too. */
  readonly isAll: boolean;
  /** Names of groups ("vg0") and volumes ("vg0/root"); none: all. */
  readonly isWanted: (group: GroupView, volume: string | null) => boolean;
  readonly isPvWanted: (pv: PvView) => boolean;
}

const EMPTY: ReportRow = { pv: null, run: null, group: null, volume: null, segment: null };

/** The rows of a report: a line for each of what it is about, or for each part of that where a column needs it. */
export function reportRows(
  kind: ReportKind,
  found: FoundGroups,
  plan: ReportPlan,
  choice: RowChoice,
): ReportRow[] {
  if (kind === "pvs") {
    const pvs = [...found.groups.flatMap((view) => view.pvs), ...found.orphans].filter(choice.isPvWanted);
    return pvs.flatMap((pv) => pvRows(pv, plan));
  }
  const groups = found.groups.filter((view) => choice.isWanted(view, null));
  if (kind === "lvs") return groups.flatMap((view) => lvRows(view, plan, choice));
  return groups.flatMap((view) => {
    if (needs(plan, "lv") || needs(plan, "segment")) {
      const rows = lvRows(view, plan, choice);
      return rows.length === 0 ? [{ ...EMPTY, group: view }] : rows;
    }
    if (needs(plan, "pv")) return view.pvs.map((pv) => ({ ...EMPTY, group: view, pv }));
    return [{ ...EMPTY, group: view }];
  });
}

function pvRows(pv: PvView, plan: ReportPlan): ReportRow[] {
  const row = { ...EMPTY, pv, group: pv.group };
  const isWhole = !needs(plan, "run") && !needs(plan, "lv") && !needs(plan, "segment");
  if (isWhole || pv.group === null || pv.physicalVolume === null) return [row];
  const runs = pv.group.runs(pv.physicalVolume);
  if (runs.length === 0) return [row];
  return runs.map((run) => ({
    ...row,
    run,
    volume: run.use?.volume ?? null,
    segment: run.use?.segment ?? freeSegment(run.extentCount),
  }));
}

function lvRows(view: GroupView, plan: ReportPlan, { isAll, isWanted }: RowChoice): ReportRow[] {
  const volumes = view.listed.filter(
    (volume) => (isAll || view.isVisible(volume)) && isWanted(view, volume.name),
  );
  return volumes.flatMap((volume) => {
    const row = { ...EMPTY, group: view, volume };
    if (!needs(plan, "segment") || volume.segments.length === 0) return [row];
    return volume.segments.map((segment) => ({ ...row, segment }));
  });
}
