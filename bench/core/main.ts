import { compare } from "../measure.ts";
import type { Contestant } from "../measure.ts";
import type { Report } from "../report.ts";
import { cancelTime, cancellable } from "./cancel.ts";
import { asyncAwait, callbacks, chain, promises, rxjs } from "./chain.ts";
import type { Completes } from "./chain.ts";
import { compoundEvent, nestedCallbacks, promiseAll } from "./fan-out.ts";
import { memoryOfAMillion } from "./memory.ts";

const MODES: readonly Completes[] = ["at once", "later"];

async function chains(report: Report): Promise<void> {
  report.title(
    "The completion chain: time per I/O in units of nested callbacks with a closure per layer, 128 in flight",
  );
  report.row(
    "layers",
    "completes",
    "chain",
    "promise.then",
    "async/await",
    "RxJS",
    "bytes: chain",
    "callbacks",
  );
  for (const depth of [1, 4, 8, 16, 32]) {
    for (const completes of MODES) {
      const contestants: Contestant[] = [callbacks, chain, promises, asyncAwait, rxjs].map((make) =>
        make(depth, completes),
      );
      const result = await compare(contestants);
      const over = (name: string): string => result.ratio(name, "callbacks").toFixed(2);
      const bytes = (name: string): string => String(result.result(name).bytes);
      report.row(
        String(depth),
        completes,
        over("chain"),
        over("promise.then"),
        over("async/await"),
        over("RxJS"),
        bytes("chain"),
        bytes("callbacks"),
      );
      if (depth !== 8) continue;
      report.want(
        `8 layers, completes ${completes}: chain to callbacks`,
        result.ratio("chain", "callbacks"),
        "at most",
        completes === "at once" ? 1.4 : 1.1,
      );
      report.want(
        `8 layers, completes ${completes}: async/await to chain`,
        result.ratio("async/await", "chain"),
        "at least",
        5,
      );
      report.want(
        `8 layers, completes ${completes}: RxJS to chain`,
        result.ratio("RxJS", "chain"),
        "at least",
        15,
      );
      report.want(
        `8 layers, completes ${completes}: bytes per I/O of the chain`,
        result.result("chain").bytes,
        "at most",
        0,
      );
    }
  }
}

async function fanOuts(report: Report): Promise<void> {
  report.title("Compound events: time per sub-I/O in units of nested callbacks");
  report.row("fan-out", "completes", "compound event", "Promise.all", "bytes: compound", "callbacks");
  for (const parts of [2, 16, 256, 4096]) {
    for (const completes of MODES) {
      const contestants = [nestedCallbacks, compoundEvent, promiseAll].map((make) => make(parts, completes));
      const result = await compare(contestants);
      const ratio = result.ratio("compound event", "nested callbacks");
      const { bytes } = result.result("compound event");
      report.row(
        String(parts),
        completes,
        ratio.toFixed(2),
        result.ratio("Promise.all", "nested callbacks").toFixed(2),
        String(bytes),
        String(result.result("nested callbacks").bytes),
      );
      report.want(
        `fan-out ${parts}, completes ${completes}: compound event to callbacks`,
        ratio,
        "at most",
        completes === "at once" ? 2.6 : 1.5,
      );
      report.want(
        `fan-out ${parts}, completes ${completes}: Promise.all to compound event`,
        result.ratio("Promise.all", "compound event"),
        "at least",
        2.5,
      );
      report.want(`fan-out ${parts}, completes ${completes}: bytes per sub-I/O`, bytes, "at most", 0);
    }
  }
}

async function cancels(report: Report): Promise<void> {
  report.title("Cancelling");
  const result = await compare([cancellable(false), cancellable(true)]);
  const extra = result.result("on a signal").nanoseconds - result.result("plain").nanoseconds;
  report.want("nanoseconds that a shared abort signal adds per I/O", extra, "at most", 40);
  report.want("bytes that it adds", result.result("on a signal").bytes, "at most", 0);
  for (const [shape, fanOut] of [
    ["flat", 1e9],
    ["as a tree of 10", 10],
    ["as a tree of 2", 2],
  ] as const) {
    cancelTime(10_000, fanOut);
    const small = Math.min(...Array.from({ length: 5 }, () => cancelTime(10_000, fanOut)));
    const large = Math.min(...Array.from({ length: 5 }, () => cancelTime(100_000, fanOut)));
    report.want(
      `cancelling 10^5 against 10^4 sub-I/Os, ${shape} (10 would be exactly linear)`,
      large / small,
      "at most",
      20,
    );
  }
}

/** All that is measured of core. */
export async function benchCore(report: Report): Promise<void> {
  await chains(report);
  await fanOuts(report);
  await cancels(report);
  report.title("Memory");
  report.want("megabytes for a million Io under way, one action each", memoryOfAMillion(), "at most", 400);
}
