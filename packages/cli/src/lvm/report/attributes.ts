import type { LogicalVolume, Segment } from "@cev/lvm";
import { numberIn } from "./group-view.ts";
import type { GroupView, PvView } from "./group-view.ts";

/** "a--": what a physical volume is. */
export function pvAttributes({ physicalVolume, group, found, state }: PvView): string {
  const isUsed = ((found?.scan.label.extension?.flags ?? 0) & PV_IN_USE) !== 0;
  const first = physicalVolume?.status.includes("ALLOCATABLE") === true ? "a" : isUsed ? "u" : "-";
  const isExported = physicalVolume?.status.includes("EXPORTED") === true || isGroupExported(group);
  return first + (isExported ? "x" : "-") + (state === "present" ? "-" : "m");
}

/** A label's flag: the physical volume belongs to a group. */
export const PV_IN_USE = 1;

/** "wz--n-": what a group is. */
export function vgAttributes(view: GroupView): string {
  const { group, pvs } = view;
  return [
    isWritable(group) ? "w" : "r",
    group.status.includes("RESIZEABLE") ? "z" : "-",
    isGroupExported(view) ? "x" : "-",
    pvs.some(({ state }) => state !== "present") ? "p" : "-",
    allocationLetter(group.allocation === "" ? "normal" : group.allocation),
    group.status.includes("CLUSTERED") ? "c" : isShared(group.lockType) ? "s" : "-",
  ].join("");
}

const isGroupExported = (view: GroupView | null): boolean => view?.group.status.includes("EXPORTED") === true;
const isShared = (lockType: string): boolean => !["", "none"].includes(lockType);

/** True where the flags allow writing. */
export function isWritable({
  status,
  flags,
}: {
  readonly status: readonly string[];
  readonly flags: readonly string[];
}): boolean {
  return status.includes("WRITE") || status.includes("WRITE_LOCKED") || flags.includes("WRITE_LOCKED");
}

const ALLOCATION_LETTERS: Readonly<Record<string, string>> = {
  contiguous: "c",
  cling: "l",
  cling_by_tags: "C",
  normal: "n",
  anywhere: "a",
};

const allocationLetter = (policy: string): string => ALLOCATION_LETTERS[policy] ?? "i";

/**
 * "owi---s---": what a volume is, in LVM2's ten letters. Nothing is active here, so the fifth and sixth letters are those of a
 * volume that is not.
 */
export function lvAttributes(view: GroupView, volume: LogicalVolume): string {
  const { status, flags } = volume;
  const isMove = status.includes("PVMOVE");
  const locked = status.includes("LOCKED");
  const policy = allocationLetter(volume.allocation);
  return [
    typeLetter(view, volume),
    isMove ? "-" : isWritable(volume) ? "w" : status.includes("READ") ? "r" : "-",
    locked ? policy.toUpperCase() : policy,
    status.includes("FIXED_MINOR") ? "m" : "-",
    "--",
    targetLetter(view, volume),
    isZeroing(view, volume) ? "z" : "-",
    healthLetter(view, volume),
    flags.includes("ACTIVATION_SKIP") ? "k" : "-",
  ].join("");
}

function typeLetter(view: GroupView, volume: LogicalVolume): string {
  const { name, status } = volume;
  const first = volume.segments[0];
  const part = view.partOf(name)?.part ?? null;
  const isMerging = view.isMergingOrigin(name);
  if (status.includes("PVMOVE")) return "p";
  if (status.includes("CONVERTING")) return "c";
  if (view.snapshotCount(name) > 0 || view.externalCount(name) > 0) return isMerging ? "O" : "o";
  if (part === "pool metadata" || part === "raid metadata" || part === "integrity metadata") return "e";
  if (isPoolSpare(volume)) return "e";
  switch (first?.type) {
    case "cache":
    case "cache-pool":
    case "writecache":
      return "C";
    case "integrity":
      return "g";
    case "vdo-pool":
      return "d";
    case "mirror":
      return isNotSynced(volume) ? "M" : "m";
    case "thin":
      return isMerging ? "O" : isMergingThin(first) ? "S" : "V";
    case "thin-pool":
      return "t";
    case "error":
    case "zero":
    case "vdo":
      return "v";
    default:
      break;
  }
  if (first?.mapping.kind === "raid") return isNotSynced(volume) ? "R" : "r";
  if (part === "pool data") return view.partOf(name)!.owner.segments[0]?.type === "vdo-pool" ? "D" : "T";
  // Whether an image is in sync is known to a kernel that runs it.
  if (part === "mirror image" || part === "raid image") return "I";
  if (part === "mirror log") return "l";
  const snapshot = view.snapshotOn(name);
  if (snapshot !== null) return snapshot.isMerging ? "S" : "s";
  return part === "cached origin" ? "o" : "-";
}

const isNotSynced = ({ status, flags }: LogicalVolume): boolean =>
  status.includes("NOTSYNCED") || flags.includes("NOTSYNCED");
const isMergingThin = ({ mapping }: Segment): boolean => mapping.kind === "thin" && mapping.merge !== null;

/** What the pool's metadata are copied into when they are repaired. */
export function isPoolSpare({ name, isVisible }: LogicalVolume): boolean {
  return !isVisible && name.endsWith("_pmspare");
}

function targetLetter(view: GroupView, volume: LogicalVolume): string {
  const { name } = volume;
  const first = volume.segments[0];
  const part = view.partOf(name)?.part ?? null;
  const type = first?.type ?? "";
  if (type === "thin" || type === "thin-pool") return "t";
  if (type === "cache" || type === "cache-pool" || type === "writecache" || part === "cached origin")
    return "C";
  if (first?.mapping.kind === "raid" || part === "raid image" || part === "raid metadata") return "r";
  if (type === "mirror" || part === "mirror image" || part === "mirror log") return "m";
  if (view.snapshotOn(name) !== null || view.snapshotCount(name) > 0) return "s";
  if (type === "error" || type === "zero" || type === "vdo") return "v";
  if (volume.segments.some(({ mapping }) => mapping.kind === "unknown")) return "u";
  return "-";
}

function isZeroing(view: GroupView, volume: LogicalVolume): boolean {
  const pool = poolOf(view, volume);
  return pool !== null && numberIn(pool.segments[0]?.section ?? null, "zero_new_blocks") === 1;
}

/** The thin pool that a volume is or lies in; null: none. */
export function poolOf(view: GroupView, volume: LogicalVolume): LogicalVolume | null {
  const mapping = volume.segments[0]?.mapping;
  if (mapping?.kind === "thin-pool") return volume;
  return mapping?.kind === "thin" ? view.volume(mapping.pool) : null;
}

function healthLetter(view: GroupView, volume: LogicalVolume): string {
  if (view.isPartial(volume)) return "p";
  if (volume.status.includes("LV_WRITEMOSTLY") || volume.status.includes("WRITEMOSTLY")) return "w";
  return "-";
}
