import { closing } from "../closing.ts";
import { ExitStatus } from "../exit-status.ts";
import { complainOf, say } from "../output.ts";
import type { KeyOptions } from "../sources.ts";
import { sourcesOf, splitWords } from "./arguments.ts";
import { choiceOf } from "./choice.ts";
import { findVolumes, orphansOf } from "./find-groups.ts";
import type { FoundVolumes } from "./find-groups.ts";
import { compareText } from "./report/column.ts";
import { GroupView } from "./report/group-view.ts";
import { columnHelp, planReport, reportJson, reportLines } from "./report/report.ts";
import type { ReportKind } from "./report/report.ts";
import { reportRows } from "./report/rows.ts";
import type { FoundGroups } from "./report/rows.ts";
import { DEFAULT_UNITS, parseUnits } from "./report/units.ts";

export interface ReportOptions extends KeyOptions {
  readonly devices?: readonly string[];
  readonly options?: readonly string[];
  readonly sort?: string;
  readonly all?: boolean;
  readonly segments?: boolean;
  readonly units?: string;
  readonly verbose?: boolean;
  readonly noheadings?: boolean;
  readonly aligned?: boolean;
  readonly unaligned?: boolean;
  readonly separator?: string;
  readonly nosuffix?: boolean;
  readonly json?: boolean;
  readonly reportformat?: string;
}

/** `cev lvm pvs`, `vgs`, `lvs`: a line for each physical volume, group or volume, as LVM2 shows them. Writes nothing. */
export async function report(
  kind: ReportKind,
  words: readonly string[],
  options: ReportOptions,
): Promise<ExitStatus> {
  const columns = options.options ?? [];
  if (columns.includes("help")) {
    for (const line of columnHelp()) say(line);
    return ExitStatus.done;
  }
  const plan = planReport(kind, {
    columns,
    order: options.sort ?? null,
    hasSegments: options.segments === true,
    isVerbose: options.verbose === true,
  });
  const units =
    options.units === undefined
      ? { ...DEFAULT_UNITS, hasSuffix: options.nosuffix !== true }
      : parseUnits(options.units, options.nosuffix !== true);
  const split = splitWords(words, options.devices !== undefined && kind !== "pvs");
  const pvNames = kind === "pvs" ? words : [];
  const found = await findVolumes(
    sourcesOf(
      options.devices,
      kind === "pvs" ? words.filter((word) => !word.startsWith("@")) : split.devices,
    ),
    options,
  );
  return await closing(found.stack, async () => {
    const groups = viewsOf(found);
    const isJson = options.json === true || options.reportformat === "json";
    // Where devices are named apart, the words of pvs choose among them.
    const wanted = pvNames.filter((word) => options.devices !== undefined || word.startsWith("@"));
    const choice = choiceOf(found, groups, {
      names: kind === "pvs" ? [] : split.names,
      pvs: wanted,
      isAll: options.all === true,
      areVolumes: kind === "lvs",
    });
    const rows = reportRows(kind, groups, plan, choice);
    const problems = [...found.deviceProblems, ...found.groupProblems].map((one) => ({
      ...one,
      // A group that is left out is more than a warning.
      severity: found.failure === null ? ("warning" as const) : one.severity,
    }));
    if (isJson) {
      const name = (options.segments === true ? SEGMENT_JSON_NAMES : JSON_NAMES)[kind];
      const body = reportJson(rows, plan, units);
      say(JSON.stringify({ report: [{ [name]: body }], problems }, null, 2));
    } else {
      const style = {
        hasHeadings: options.noheadings !== true,
        isAligned:
          options.aligned === true || (options.unaligned !== true && options.separator === undefined),
        separator: options.separator ?? " ",
      };
      for (const line of reportLines(rows, plan, units, style)) say(line);
    }
    complainOf(problems);
    return found.failure === null ? ExitStatus.done : ExitStatus.failed;
  });
}

const JSON_NAMES: Readonly<Record<ReportKind, string>> = { pvs: "pv", vgs: "vg", lvs: "lv" };
const SEGMENT_JSON_NAMES: Readonly<Record<ReportKind, string>> = { pvs: "pvseg", vgs: "vg", lvs: "seg" };

/** Groups and physical volumes of none, for reports. */
export function viewsOf(found: FoundVolumes): FoundGroups {
  return {
    groups: found.groups
      .map((group) => new GroupView(group, found.devices))
      .toSorted((left, right) => compareText(left.displayName, right.displayName)),
    orphans: orphansOf(found).map((device) => ({
      found: device,
      physicalVolume: null,
      group: null,
      state: "present",
    })),
  };
}
