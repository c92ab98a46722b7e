import type { Clock } from "@cev/core";
import { Command } from "../../protocol/numbers.ts";

/** One request from its head to the last byte of its answer. */
export interface RequestTrace {
  /** As in events. */
  readonly connection: number;
  /** Such as "read". */
  readonly command: string;
  /** As the client sent them. */
  readonly flags: number;
  readonly offset: number;
  readonly length: number;
  /** What the client was told; 0: all went well. */
  readonly errno: number;
  readonly microseconds: number;
}

/** What is known of a request when it has ended. */
export interface TracedRequest {
  readonly command: number;
  readonly flags: number;
  readonly offset: number;
  readonly length: number;
}

/** Tells of the requests of one connection. */
export class RequestTracer {
  readonly #connection: number;
  readonly #clock: Clock;
  readonly #tell: (trace: RequestTrace) => void;

  constructor(connection: number, clock: Clock, tell: (trace: RequestTrace) => void) {
    this.#connection = connection;
    this.#clock = clock;
    this.#tell = tell;
  }

  /** Milliseconds: what `tell` wants to know later. */
  now(): number {
    return this.#clock.now();
  }

  /** `startedAt`: when its head was read. */
  tell({ command, flags, offset, length }: TracedRequest, startedAt: number, errno: number): void {
    const microseconds = (this.#clock.now() - startedAt) * 1000;
    const name = NAMES.get(command) ?? `command ${command}`;
    this.#tell({ connection: this.#connection, command: name, flags, offset, length, errno, microseconds });
  }
}

const NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(Command).map(([name, value]) => [value, name]),
);
