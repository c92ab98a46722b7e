import { IoFlag, opName } from "@cev/core";
import type { Io, SubIo } from "@cev/core";

/** A request passed a device, on its way down or, when it had ended below, up. */
export interface Passing {
  readonly device: string;
  readonly direction: "down" | "up";
  /** Microseconds since the trace began. */
  readonly atUs: number;
  /** As that device sees it, in bytes. */
  readonly offset: number;
}

/** A request that has ended, and what it became below. Plain data. */
export interface RequestTree {
  readonly op: string;
  /** Bytes, at the first device that it passed. */
  readonly offset: number;
  readonly length: number;
  /** Of `IoFlag`, by name. */
  readonly flags: readonly string[];
  /** Microseconds since the trace began. */
  readonly startUs: number;
  readonly durationUs: number;
  /** The code of its error; null: it went well. */
  readonly error: string | null;
  /** A layer of the stack asked for it by itself: a resync, metadata. */
  readonly isOwn: boolean;
  readonly passings: readonly Passing[];
  readonly parts: readonly RequestPart[];
}

/** One part of a request. */
export interface RequestPart extends RequestTree {
  /** The layer that split. */
  readonly splitBy: string;
  /** Where the part was sent. */
  readonly lower: string;
  readonly collation: string;
  readonly retryCount: number;
}

/** A tree that grows. */
export class RequestNode implements RequestTree {
  readonly op: string;
  readonly offset: number;
  readonly length: number;
  readonly flags: readonly string[];
  readonly startUs: number;
  durationUs = 0;
  error: string | null = null;
  readonly isOwn: boolean;
  readonly passings: Passing[] = [];
  readonly parts: RequestPart[] = [];

  constructor(io: Io, startUs: number, isOwn: boolean) {
    this.op = opName(io.op);
    this.offset = io.offset;
    this.length = io.length;
    this.flags = Object.entries(IoFlag).flatMap(([name, flag]) => ((io.flags & flag) === 0 ? [] : [name]));
    this.startUs = startUs;
    this.isOwn = isOwn;
  }
}

/** The same, of a part; null: its request was gathered with others into one. */
export class PartNode extends RequestNode implements RequestPart {
  readonly splitBy: string;
  readonly lower: string;
  readonly collation: string;
  retryCount = 0;
  readonly #sub: SubIo | null;

  constructor(io: Io, startUs: number, sub: SubIo | null) {
    super(io, startUs, false);
    this.splitBy = sub?.compound.owner.name ?? "";
    this.lower = sub?.lower.name ?? "";
    this.collation = sub?.compound.collation.name ?? "gathered";
    this.#sub = sub;
  }

  /** Notes what is known once the part has ended. */
  end(): void {
    this.retryCount = this.#sub?.retryCount ?? 0;
  }
}
