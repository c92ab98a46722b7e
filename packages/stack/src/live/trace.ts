import { CevError, JointLayer } from "@cev/core";
import type { Environment } from "@cev/core";
import type { StackDevice } from "../stack-device.ts";
import { RequestFiler } from "./request-filer.ts";
import type { RequestTree } from "./request-tree.ts";

/** Which requests are shown. */
export interface TraceOptions {
  /** Only those that pass this device. */
  readonly device?: string;
  /** Only this operation: "read", "write", "flush", "discard", "writeZeroes". */
  readonly op?: string;
  /** So many, and then no more. Default: until the signal. */
  readonly count?: number;
  /** Only those that take longer, in milliseconds. */
  readonly slowerThanMs?: number;
  readonly signal?: AbortSignal;
}

/** Is told, when a trace ends, how many were shown, and how many nobody took in time. */
export type TraceReport = (seenCount: number, droppedCount: number) => void;

/** Trees that wait for somebody to take them; what ends while so many wait is dropped, and counted. */
const WAITING_MAX = 256;

/** Watches the joints of a stack while somebody wants to know. */
export class Tracer {
  readonly #devices: readonly StackDevice[];
  readonly #environment: Environment;
  readonly #takers = new Set<(tree: RequestTree) => void>();
  #filer: RequestFiler | null = null;

  constructor(devices: readonly StackDevice[], environment: Environment) {
    this.#devices = devices;
    this.#environment = environment;
  }

  /** Devices have come or gone. */
  renew(): void {
    const filer = this.#filer;
    if (filer === null) return;
    for (const joint of filer.devices.keys()) joint.watcher = null;
    filer.devices.clear();
    const lowers = new Set(this.#devices.flatMap((one) => one.lowers));
    for (const device of this.#devices) {
      if (!(device.layer instanceof JointLayer)) continue;
      filer.devices.set(device.layer, { name: device.name, isUppermost: !lowers.has(device) });
      device.layer.watcher = filer;
    }
  }

  /** Requests that begin from now on, each when it has ended. */
  async *requests(options: TraceOptions, report?: TraceReport): AsyncGenerator<RequestTree, void> {
    const { device, count = Infinity, signal } = options;
    if (device !== undefined && !this.#devices.some(({ name }) => name === device))
      throw new CevError("CEV_NOT_FOUND", `there is no device ${device}`);
    const waiting: RequestTree[] = [];
    let seenCount = 0;
    let droppedCount = 0;
    let wake: () => void = () => undefined;
    const take = (tree: RequestTree): void => {
      if (!isWanted(tree, options)) return;
      if (waiting.length >= WAITING_MAX) droppedCount++;
      else waiting.push(tree);
      wake();
    };
    const onAbort = (): void => wake();
    signal?.addEventListener("abort", onAbort);
    this.#begin(take);
    try {
      while (seenCount < count && signal?.aborted !== true) {
        const tree = waiting.shift();
        if (tree === undefined) {
          await new Promise<void>((resolve) => (wake = resolve));
        } else {
          seenCount++;
          yield tree;
        }
      }
    } finally {
      signal?.removeEventListener("abort", onAbort);
      this.#end(take);
      report?.(seenCount, droppedCount);
    }
  }

  #begin(take: (tree: RequestTree) => void): void {
    this.#takers.add(take);
    if (this.#filer !== null) return;
    this.#filer = new RequestFiler(this.#environment, (tree) => {
      for (const taker of this.#takers) taker(tree);
    });
    this.renew();
  }

  #end(take: (tree: RequestTree) => void): void {
    this.#takers.delete(take);
    if (this.#takers.size > 0) return;
    for (const joint of this.#filer?.devices.keys() ?? []) joint.watcher = null;
    this.#filer = null;
  }
}

function isWanted(tree: RequestTree, { device, op, slowerThanMs = 0 }: TraceOptions): boolean {
  return (
    (op === undefined || tree.op === op) &&
    tree.durationUs >= slowerThanMs * 1000 &&
    (device === undefined || passes(tree, device))
  );
}

const passes = (tree: RequestTree, device: string): boolean =>
  tree.passings.some((one) => one.device === device) || tree.parts.some((part) => passes(part, device));
