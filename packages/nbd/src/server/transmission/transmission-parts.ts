import type { BufferPool } from "@cev/core";
import type { MemoryBudget } from "../../memory/memory-budget.ts";
import type { RequestTracer } from "./trace.ts";
import type { ReceiveBuffer } from "../../memory/receive-buffer.ts";
import type { TransmissionLimits } from "./limits.ts";
import type { ReplyWriter } from "./reply-writer.ts";

/** What a transmission needs of its connection. */
export interface TransmissionUser {
  /** There is something to do in a later turn: call `turn` then. */
  wantsTurn(): void;
  /** After `close`: one of those that were under way has ended. */
  requestEnded(): void;
  /** The client broke the protocol in a way that cannot be answered. */
  violation(message: string): void;
  /** An answer that was not given within a turn could not be: the connection ends, or whatever this is surfaces. */
  failed(error: unknown): void;
}

/** What a transmission works with. */
export interface TransmissionParts {
  readonly receive: ReceiveBuffer;
  readonly writer: ReplyWriter;
  readonly limits: TransmissionLimits;
  readonly user: TransmissionUser;
  readonly buffers: BufferPool;
  readonly budget: MemoryBudget;
  /** Null: nobody wants to know. */
  readonly tracer: RequestTracer | null;
}
