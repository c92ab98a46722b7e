import { median } from "../measure.ts";
import type { Report } from "../report.ts";
import type { Contestant } from "./contestants.ts";
import type { AsyncLoad, Load, Sample } from "./loads.ts";

const ROUNDS = 5;

/** A load, and how much of each peer's work cev should do of it. */
export interface Wanted {
  readonly load: Load | AsyncLoad;
  readonly atLeast: Readonly<Record<string, number>>;
}

/** What a table compares, and with whom. */
export interface Table {
  /** Stands before each claim. */
  readonly title: string;
  readonly contestants: readonly Contestant[];
  /** In whose units, as far as they are there. */
  readonly peers: readonly string[];
  readonly wanted: readonly Wanted[];
}

/** Those loads of a table that were asked for. */
export function askedOf(report: Report, title: string, wanted: readonly Wanted[]): Wanted[] {
  return wanted.filter(({ load }) => report.includes(`${title}, ${load.name}`));
}

/** Prints a row per load: cev's work per second in units of each peer's, then server time per unit likewise. */
export async function printTable(
  report: Report,
  { title, contestants, peers, wanted }: Table,
): Promise<void> {
  if (wanted.length === 0) return;
  const present = peers.filter((peer) => contestants.some(({ name }) => name === peer));
  report.row(...present, ...present.map((peer) => `time: ${peer}`), "cev, us each");
  for (const { load, atLeast } of wanted) {
    const samples = await compare(
      contestants.filter(({ name }) => name === "cev" || present.includes(name)),
      load,
    );
    const own = samples.get("cev")!;
    const ratio = (peer: string, pick: (sample: Sample) => number): number =>
      median(samples.get(peer)!.map((sample, round) => pick(own[round]!) / pick(sample)));
    const figures = present.map((peer) => ratio(peer, ({ perSecond }) => perSecond));
    const times = present.map((peer) => ratio(peer, ({ serverTime }) => serverTime));
    const microseconds = median(own.map(({ serverTime }) => serverTime));
    report.row(...[...figures, ...times, microseconds].map((value) => value.toFixed(2)), load.name);
    for (const [index, peer] of present.entries()) {
      const bound = atLeast[peer];
      const claim = `NBD, ${title}, ${load.name}: cev to ${peer}`;
      if (bound !== undefined) report.want(claim, figures[index]!, "at least", bound);
    }
  }
}

/** Runs the load on all in turn, round after round, so that a noisy minute hits all alike. */
async function compare(
  contestants: readonly Contestant[],
  load: Load | AsyncLoad,
): Promise<Map<string, Sample[]>> {
  const samples = new Map<string, Sample[]>(contestants.map(({ name }) => [name, []]));
  for (let round = 0; round < ROUNDS; round++) {
    for (const { name, uri, pid } of contestants) samples.get(name)!.push(await load.run(uri, pid));
  }
  return samples;
}
