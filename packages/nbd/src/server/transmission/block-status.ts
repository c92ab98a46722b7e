import { CevError } from "@cev/core";
import { blockStatusLength, encodeBlockStatus } from "../../protocol/chunk.ts";
import type { StatusExtent } from "../../protocol/chunk.ts";
import { ChunkFlag, ChunkType, CommandFlag, HeaderStyle } from "../../protocol/numbers.ts";
import { wideAt } from "../../protocol/wide.ts";
import type { StatusQuery } from "../contexts/context.ts";
import type { SelectedContext } from "../contexts/selected.ts";
import type { ColdMemory, ColdWork, Work } from "./cold-work.ts";
import type { Releasable } from "./reply-writer.ts";
import type { Request } from "./request.ts";

/** What a request's payload limits the answer to. */
export interface StatusPayload {
  /** Bytes that it asks about. */
  readonly length: number;
  readonly contexts: readonly SelectedContext[];
}

// The document allows 2^20; clients ask on where an answer ends, and no answer is to take much memory.
const COUNT_MAX = 65_536;
const COUNT_MIN = 16;
const SECTOR = 512;
const ID_LENGTH = 4;
const LENGTH_LENGTH = 8;

/** The longest payload that can make sense: each context once. */
export function statusPayloadLengthMax(contexts: readonly SelectedContext[]): number {
  return LENGTH_LENGTH + ID_LENGTH * contexts.length;
}

/** What the payload of a request says, at `at`; null when it is not well formed, or names a context twice or that is not there. */
export function decodeStatusPayload(
  view: DataView,
  at: number,
  payloadLength: number,
  selected: readonly SelectedContext[],
): StatusPayload | null {
  const count = (payloadLength - LENGTH_LENGTH) / ID_LENGTH;
  if (!Number.isInteger(count) || count < 1 || count > selected.length) return null;
  const contexts: SelectedContext[] = [];
  for (let index = 0; index < count; index++) {
    const id = view.getUint32(at + LENGTH_LENGTH + ID_LENGTH * index);
    const context = selected.find((each) => each.id === id);
    if (context === undefined || contexts.includes(context)) return null;
    contexts.push(context);
  }
  return { length: wideAt(view, at), contexts };
}

/** Asks contexts one after the other, and answers when all have told what they know. */
export function statusWork(contexts: readonly SelectedContext[]): Work {
  return async (cold, request) => {
    const query = queryOf(cold, request);
    // Taken before anybody is asked: what is known fills it at once, and it is held until it has left.
    const memory = await cold.memory(contexts.length * blockStatusLength(cold.style, query.countMax));
    const payloads = new StatusPayloads(memory, contexts.length);
    try {
      for (const { id, context } of contexts) {
        if (cold.isClosed) break;
        const extents = await context.status(query);
        payloads.add(encodeBlockStatus(cold.style, id, fitting(extents, query, context.name)));
      }
    } catch (error) {
      memory.release();
      throw error;
    }
    if (cold.isClosed) memory.release();
    else payloads.put(cold, request);
  };
}

/** What is told of each context, in memory that is held until all of it has left. */
class StatusPayloads implements Releasable {
  readonly #memory: ColdMemory;
  readonly #payloads: Uint8Array[] = [];
  #length = 0;
  #holdCount: number;

  constructor(memory: ColdMemory, count: number) {
    this.#memory = memory;
    this.#holdCount = count;
  }

  add(payload: Uint8Array): void {
    const at = this.#length;
    this.#length += payload.length;
    this.#memory.bytes.set(payload, at);
    this.#payloads.push(this.#memory.bytes.subarray(at, this.#length));
  }

  put({ style, writer }: ColdWork, request: Request): void {
    const type = style === HeaderStyle.extended ? ChunkType.blockStatusExtended : ChunkType.blockStatus;
    const payloads = this.#payloads;
    let count = 0;
    try {
      for (; count < payloads.length; count++) {
        const flags = count === payloads.length - 1 ? ChunkFlag.done : 0;
        writer.putChunk(style, request, { type, flags }, payloads[count]!, this);
      }
    } finally {
      // The writer has no memory for them.
      for (; count < payloads.length; count++) this.release();
    }
  }

  release(): void {
    if (--this.#holdCount === 0) this.#memory.release();
  }
}

function queryOf({ target }: ColdWork, { offset, length, flags }: Request): StatusQuery {
  const isOne = (flags & CommandFlag.reqOne) !== 0;
  // More than one per sector is not worth its memory.
  const likelyMax = Math.max(COUNT_MIN, Math.ceil(length / SECTOR));
  const payloadCount = Math.floor((target.blockSizes.payloadMax - 8) / 16);
  return { offset, length, isOne, countMax: isOne ? 1 : Math.min(COUNT_MAX, payloadCount, likelyMax) };
}

/** What the protocol allows of an answer: contexts may be anybody's. */
function fitting(
  extents: readonly StatusExtent[],
  { length, countMax }: StatusQuery,
  name: string,
): readonly StatusExtent[] {
  const fit: StatusExtent[] = [];
  let left = length;
  for (const extent of extents) {
    if (left === 0 || fit.length === countMax) break;
    if (!(Number.isSafeInteger(extent.length) && extent.length > 0)) break;
    fit.push(extent.length <= left ? extent : { ...extent, length: left });
    left -= Math.min(left, extent.length);
  }
  if (fit.length === 0) throw new CevError("CEV_PROGRAM", `the context ${name} told of nothing`);
  return fit;
}
