import { IoFlag, Op } from "@cev/core";
import type { RecordSink, RecordStep, RecordedRequest, Recording } from "./recorded.ts";
import { WriteOrder } from "./write-order.ts";

/** Keeps a recording in memory, with all requests and their data: for tests, which end. */
export class MemorySink implements RecordSink, Recording {
  /** In order of submission; also reads, and those under way. */
  readonly requests: RecordedRequest[] = [];
  readonly #order = new WriteOrder();
  readonly #steps: RecordStep[] = [];

  open(): Promise<void> {
    return Promise.resolve();
  }

  began(request: RecordedRequest): void {
    this.requests.push(request);
    this.#order.began(request);
  }

  ended(request: RecordedRequest): null {
    this.#list(this.#order.ended(request));
    return null;
  }

  mark(text: string): Promise<void> {
    this.#steps.push({ ...NO_STEP, index: this.#steps.length, kind: "mark", mark: text });
    return Promise.resolve();
  }

  /** What no flush has covered comes last. */
  close(): Promise<void> {
    this.#list(this.#order.rest());
    return Promise.resolve();
  }

  async *steps(): AsyncGenerator<RecordStep> {
    for (const step of this.#steps) yield await Promise.resolve(step);
  }

  #list(requests: readonly RecordedRequest[]): void {
    for (const { op, offset, length, flags, data, endedAt } of requests) {
      this.#steps.push({
        ...NO_STEP,
        index: this.#steps.length,
        kind: KINDS[op] ?? "flush",
        isDurable: (flags & IoFlag.fua) !== 0,
        offset,
        length,
        atMs: endedAt,
        read: (within, count) =>
          Promise.resolve(data?.slice(within, within + count) ?? new Uint8Array(count)),
      });
    }
  }
}

const KINDS: { readonly [op: number]: RecordStep["kind"] } = {
  [Op.write]: "write",
  [Op.writeZeroes]: "writeZeroes",
  [Op.discard]: "discard",
};

const NO_STEP = {
  isDurable: false,
  offset: 0,
  length: 0,
  mark: "",
  atMs: null,
  read: (_within: number, length: number): Promise<Uint8Array> => Promise.resolve(new Uint8Array(length)),
};
