import { CevError } from "@cev/core";
import type { PhysicalVolume } from "../model/group.ts";
import type { PhysicalArea } from "../model/mappings.ts";
import type { Place } from "./places.ts";

/** How new extents are chosen, each policy freer than the one before it. */
export const POLICIES = ["contiguous", "cling", "normal", "anywhere"] as const;
export type Policy = (typeof POLICIES)[number];

/** What is wanted. */
export interface AllocationRequest {
  readonly places: readonly Place[];
  readonly policy: Policy;
  /** How many areas side by side: the stripes. */
  readonly areaCount: number;
  /** Extents of each area. */
  readonly extentCount: number;
  /** The areas of the segment that the new ones follow; null: the volume is new. */
  readonly previous: readonly PhysicalArea[] | null;
  /** Fewer extents will do: a share was asked for, not a number. */
  readonly isApproximate: boolean;
}

/** A run of free extents on one physical volume. */
interface FreeRun {
  readonly physicalVolume: PhysicalVolume;
  readonly start: number;
  readonly count: number;
}

/**
 * Finds room: sets of areas of equal length, side by side, in order. LVM2's way: each policy up to the one given is
 * tried in turn (directly behind the last segment, then on the same physical volumes, then one area on each, then any), and
 * takes as much as it can. Throws `CEV_NO_SPACE`.
 */
export function allocate(request: AllocationRequest): readonly (readonly PhysicalArea[])[] {
  return new Allocation(request).run();
}

class Allocation {
  readonly #request: AllocationRequest;
  /** The largest first. */
  readonly #free: { readonly physicalVolume: PhysicalVolume; runs: readonly FreeRun[] }[];
  readonly #found: (readonly PhysicalArea[])[] = [];
  #allocated = 0;

  constructor(request: AllocationRequest) {
    this.#request = request;
    this.#free = request.places.map(({ physicalVolume, free }) => ({
      physicalVolume,
      runs: bySize(free.map((range) => ({ physicalVolume, ...range }))),
    }));
  }

  run(): readonly (readonly PhysicalArea[])[] {
    const { policy, extentCount, isApproximate } = this.#request;
    if (!isApproximate) this.#checkFree();
    for (const pass of POLICIES) {
      this.#tryPolicy(pass);
      const isWhole = policy === "contiguous" && this.#allocated > 0;
      if (this.#allocated === extentCount || isWhole || pass === policy) break;
    }
    if (this.#allocated < extentCount && !(isApproximate && this.#allocated > 0)) this.#fail();
    return this.#found;
  }

  #tryPolicy(pass: Policy): void {
    const { extentCount, policy } = this.#request;
    while (this.#allocated < extentCount) {
      const runs = this.#choose(pass);
      if (runs === null) return;
      this.#take(runs);
      if (pass === "contiguous" || policy === "contiguous") return;
    }
  }

  /** One free run for each area, or null. */
  #choose(pass: Policy): readonly FreeRun[] | null {
    const { previous, areaCount } = this.#request;
    const follows = previous !== null && previous.length === areaCount;
    switch (pass) {
      case "contiguous":
        return follows ? this.#behind(previous) : this.#oneEach();
      case "cling":
        return this.#besides(follows ? previous : (this.#found.at(-1) ?? null));
      case "normal":
        return this.#besides(this.#found.at(-1) ?? null) ?? this.#oneEach();
      case "anywhere":
        return this.#anywhere();
    }
  }

  /** Runs that begin where the areas end. */
  #behind(areas: readonly PhysicalArea[]): readonly FreeRun[] | null {
    return this.#forEach(areas, (run, area) => run.start === area.startExtent + area.extentCount);
  }

  /** Runs on the same physical volumes as the areas. */
  #besides(areas: readonly PhysicalArea[] | null): readonly FreeRun[] | null {
    return areas === null ? null : this.#forEach(areas, () => true);
  }

  #forEach(
    areas: readonly PhysicalArea[],
    fits: (run: FreeRun, area: PhysicalArea) => boolean,
  ): readonly FreeRun[] | null {
    const chosen: FreeRun[] = [];
    for (const area of areas) {
      const free = this.#on(area.physicalVolume);
      const run = free?.runs.find((one) => fits(one, area) && !chosen.includes(one));
      if (run === undefined || !this.#isEnough(run)) return null;
      chosen.push(run);
    }
    return chosen;
  }

  /** Of each physical volume the smallest run that is large enough, or the largest; the largest of all count. */
  #oneEach(): readonly FreeRun[] | null {
    const needed = this.#needed();
    const best = this.#free.flatMap(({ runs }) => {
      const run = runs.findLast(({ count }) => count >= needed) ?? runs[0];
      return run !== undefined && this.#isEnough(run) ? [run] : [];
    });
    if (best.length < this.#request.areaCount) return null;
    const used = (run: FreeRun): number => Math.min(run.count, needed);
    return best.toSorted((left, right) => used(right) - used(left)).slice(0, this.#request.areaCount);
  }

  /** Pieces of the greatest length at which there are enough, also several of one physical volume. */
  #anywhere(): readonly FreeRun[] | null {
    const { areaCount } = this.#request;
    const runs = this.#free.flatMap((one) => one.runs);
    const pieces = (length: number): number =>
      runs.reduce((sum, { count }) => sum + Math.floor(count / length), 0);
    let length = 0;
    // Largest length that still gives enough pieces: fewer come out the longer they are.
    for (let step = 2 ** Math.floor(Math.log2(this.#needed())); step >= 1; step /= 2)
      if (length + step <= this.#needed() && pieces(length + step) >= areaCount) length += step;
    if (length === 0) return null;
    // One of each physical volume before a second of any.
    const offers = this.#free.flatMap((one) =>
      one.runs
        .flatMap((run) =>
          Array.from({ length: Math.min(areaCount, Math.floor(run.count / length)) }, (_, index) => ({
            physicalVolume: run.physicalVolume,
            start: run.start + index * length,
            count: length,
          })),
        )
        .map((piece, round) => ({ piece, round })),
    );
    return offers
      .toSorted((left, right) => left.round - right.round)
      .slice(0, areaCount)
      .map(({ piece }) => piece);
  }

  #on({ uuid }: PhysicalVolume): { runs: readonly FreeRun[] } | undefined {
    return this.#free.find(({ physicalVolume }) => physicalVolume.uuid === uuid);
  }

  #needed(): number {
    return this.#request.extentCount - this.#allocated;
  }

  /** Without splitting only what holds all that is needed will do. */
  #isEnough(run: FreeRun): boolean {
    return this.#request.policy !== "contiguous" || run.count >= this.#needed();
  }

  #take(runs: readonly FreeRun[]): void {
    const length = Math.min(this.#needed(), ...runs.map(({ count }) => count));
    const areas = runs.map(({ physicalVolume, start }): PhysicalArea => ({
      kind: "physical",
      physicalVolume,
      startExtent: start,
      extentCount: length,
    }));
    for (const area of areas) this.#consume(area);
    this.#found.push(areas);
    this.#allocated += length;
  }

  #consume({ physicalVolume, startExtent, extentCount }: PhysicalArea): void {
    const free = this.#on(physicalVolume)!;
    const end = startExtent + extentCount;
    free.runs = bySize(
      free.runs.flatMap((run) => {
        const runEnd = run.start + run.count;
        if (runEnd <= startExtent || run.start >= end) return [run];
        return [
          { ...run, count: startExtent - run.start },
          { ...run, start: end, count: runEnd - end },
        ].filter(({ count }) => count > 0);
      }),
    );
  }

  #checkFree(): void {
    const { areaCount, extentCount } = this.#request;
    const available = this.#free.reduce(
      (sum, { runs }) => sum + runs.reduce((part, { count }) => part + count, 0),
      0,
    );
    if (available >= areaCount * extentCount) return;
    throw new CevError(
      "CEV_NO_SPACE",
      `insufficient free space: ${areaCount * extentCount} extents needed, but only ${available} available`,
      { hint: "ask for less, or add a physical volume with vgextend" },
    );
  }

  #fail(): never {
    const { policy, areaCount } = this.#request;
    const kind = policy === "contiguous" ? "contiguous " : "";
    const place = areaCount === 1 ? "" : ` on ${areaCount} physical volumes`;
    throw new CevError(
      "CEV_NO_SPACE",
      `insufficient suitable ${kind}free extents${place}: ${this.#needed() * areaCount} more needed`,
      {
        hint:
          policy === "anywhere"
            ? "ask for less, or add a physical volume with vgextend"
            : `the policy ${policy} finds no more; a freer one may`,
      },
    );
  }
}

/** The largest first; of equals the one in front. */
function bySize(runs: readonly FreeRun[]): readonly FreeRun[] {
  return runs.toSorted((left, right) => right.count - left.count || left.start - right.start);
}
