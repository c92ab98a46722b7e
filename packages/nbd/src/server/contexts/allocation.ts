import type { Extent, ExtentsReport } from "@cev/core";
import type { Export } from "../exports/export.ts";
import { AllocationFlag } from "../../protocol/numbers.ts";
import { STATUS_EFFORT_MAX } from "./context.ts";
import type { ContextProvider, MetaContext, StatusQuery } from "./context.ts";

const LEAF = "allocation";

/**
 * The context `base:allocation` of every export: where it is a hole, and where it reads as zeroes. What nobody knows anything of is
 * neither. `report` hears of layers that failed to tell what they know.
 */
export function allocationContexts(report?: ExtentsReport): ContextProvider {
  const name = `base:${LEAF}`;
  return {
    namespace: "base",
    list: (_target, leaf) => (leaf === "" || leaf === LEAF ? [name] : []),
    find: (target, leaf) => (leaf === LEAF ? allocationOf(name, target, report) : null),
  };
}

function allocationOf(name: string, target: Export, report: ExtentsReport | undefined): MetaContext {
  return {
    name,
    async status({ offset, length, countMax, isOne }: StatusQuery) {
      const extents = await target.device.extents(offset, length, {
        countMax: isOne ? 1 : countMax,
        effortMax: STATUS_EFFORT_MAX,
        ...(report === undefined ? {} : { report }),
      });
      return extents.map((extent) => ({ length: extent.length, status: statusOf(extent) }));
    },
  };
}

function statusOf({ isHole, isZero }: Extent): number {
  return (isHole ? AllocationFlag.hole : 0) | (isZero ? AllocationFlag.zero : 0);
}
