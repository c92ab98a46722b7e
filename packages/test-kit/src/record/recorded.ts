import type { Op } from "@cev/core";

/** One request that passed a `RecordLayer`. */
export interface RecordedRequest {
  /** In order of submission, from 0. */
  readonly serial: number;
  readonly op: Op;
  /** `IoFlag`s. */
  readonly flags: number;
  readonly offset: number;
  readonly length: number;
  /** Of a write: a copy. */
  readonly data: Uint8Array | null;
  /** Milliseconds of the clock. */
  readonly beganAt: number;
  /** NaN while it is under way. */
  endedAt: number;
  /** In order of completion, from 0; -1 while it is under way. */
  endOrder: number;
  /** The code of its error. */
  error: string | null;
}

/** One step of a recording, in the order in which it counts: a write before the flush that covers it. */
export interface RecordStep {
  /** Of the entry in the recording; an entry may be several steps. */
  readonly index: number;
  readonly kind: "write" | "writeZeroes" | "discard" | "flush" | "mark";
  /** It was durable when it completed. */
  readonly isDurable: boolean;
  readonly offset: number;
  readonly length: number;
  /** The text of a mark; empty otherwise. */
  readonly mark: string;
  /** When it ended, in milliseconds of the recorder's clock; null: that was not recorded. */
  readonly atMs: number | null;
  /** A part of a write's data. */
  read(within: number, length: number): Promise<Uint8Array>;
}

/** Something to replay. */
export interface Recording {
  steps(): AsyncIterable<RecordStep>;
}

/** Where a `RecordLayer` puts what it sees. */
export interface RecordSink {
  open(): Promise<void>;
  /** Not after `close`. Every request that began here ends here. */
  began(request: RecordedRequest): void;
  /** A promise: the request is kept back until it settles. It does not reject. */
  ended(request: RecordedRequest): Promise<void> | null;
  /** Puts a text between the requests. */
  mark(text: string): Promise<void>;
  close(): Promise<void>;
}
