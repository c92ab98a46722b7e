import { CompoundEvent } from "./compound-event.ts";
import { CompoundIo, SubIo } from "./compound-io.ts";
import type { Completion } from "./completion.ts";
import { EventState, stateName } from "./completion.ts";
import { Io, opName } from "./io.ts";

/** A live picture of an event and of all that is under way below it. Plain data. */
export interface EventStatus {
  readonly kind: "io" | "compound" | "event";
  readonly state: string;
  readonly error: string | null;
  readonly isCancelRequested: boolean;
  /** Actions that will run at its completion, in that order: newest first. */
  readonly actions: readonly ActionStatus[];
  readonly waiterCount: number;
  /** Of an `Io`. Bytes. */
  readonly request?: {
    readonly op: string;
    readonly offset: number;
    readonly length: number;
    readonly transferred: number;
  };
  /** The parts it became, by the layer that split it; or the events of a compound event. */
  readonly parts: readonly PartStatus[];
}

/** One action that waits for its turn. */
export interface ActionStatus {
  /** Name of the function. */
  readonly name: string;
  /** Name of the layer (or other owner) it belongs to, where its context says so. */
  readonly owner: string | null;
}

/** One part of something compound. */
export interface PartStatus {
  readonly index: number;
  /** The layer that split. */
  readonly splitBy: string | null;
  /** Where this part was submitted. */
  readonly lower: string | null;
  readonly collation: string;
  readonly retryCount: number;
  /** How long it has been under way, in milliseconds; null while nobody watches (`RunQueue.watch`) or when it is done. */
  readonly elapsedMs: number | null;
  readonly event: EventStatus;
}

/** The state of an event and, as one tree across all layers, of every sub-event. Reads only; costs nothing before it is called. */
export function statusOf(event: Completion): EventStatus {
  const actions: ActionStatus[] = [];
  const parts: PartStatus[] = [];
  for (let at = event.entryCount - 2; at >= 0; at -= 2) {
    const action = event.entries[at];
    const context = event.entries[at + 1];
    actions.push({ name: typeof action === "function" ? action.name : "", owner: ownerOf(context) });
    if (context instanceof CompoundIo) parts.push(...partsOf(context));
    else if (isGathered(context)) parts.push(gatheredPart(context));
  }
  if (event instanceof CompoundEvent) {
    event.events.forEach((part, index) =>
      parts.push({
        index,
        splitBy: null,
        lower: null,
        collation: event.collation.name,
        retryCount: 0,
        elapsedMs: null,
        event: statusOf(part),
      }),
    );
  }
  return {
    kind: event instanceof Io ? "io" : event instanceof CompoundEvent ? "compound" : "event",
    state: stateName(event.state),
    error: event.error?.code ?? null,
    isCancelRequested: event.isCancelRequested,
    actions,
    waiterCount: event.waiterCount,
    ...(event instanceof Io
      ? {
          request: {
            op: opName(event.op),
            offset: event.offset,
            length: event.length,
            transferred: event.transferred,
          },
        }
      : {}),
    parts,
  };
}

/** The parts that an `Io` became, at whatever layer below: to wait for one, or to watch it. Empty while it is whole. */
export function subEventsOf(io: Io): SubIo[] {
  for (let at = io.entryCount - 2; at >= 0; at -= 2) {
    const context = io.entries[at + 1];
    if (context instanceof CompoundIo) return context.subs.slice(0, context.subCount);
  }
  return [];
}

/** The part that an `Io` is of something compound; null: it is a request of its own. Takes no time that grows with the stack. */
export function partOf(io: Io): SubIo | null {
  // Every sub-I/O has the action that ends it at the bottom of its chain.
  const context = io.entryCount >= 2 ? io.entries[1] : null;
  return context instanceof SubIo && context.io === io ? context : null;
}

/** True while `event` is `target`, or is under way by way of it: as one of its parts, or gathered into it. */
export function leadsTo(event: Completion, target: Completion): boolean {
  if (event === target) return true;
  for (let at = event.entryCount - 2; at >= 0; at -= 2) {
    const context = event.entries[at + 1];
    if (context instanceof CompoundIo) {
      for (let index = 0; index < context.subCount; index++)
        if (leadsTo(context.subs[index]!.io, target)) return true;
    } else if (isGathered(context) && leadsTo(context.gatheredInto, target)) return true;
  }
  return event instanceof CompoundEvent && event.events.some((part) => leadsTo(part, target));
}

function partsOf(compound: CompoundIo): PartStatus[] {
  const watch = compound.io.runQueue.watch;
  return compound.subs.slice(0, compound.subCount).map((sub) => ({
    index: sub.index,
    splitBy: compound.owner.name,
    lower: sub.lower.name,
    collation: compound.collation.name,
    retryCount: sub.retryCount,
    elapsedMs: watch === null || sub.io.state === EventState.done ? null : watch.now() - sub.startedAt,
    event: statusOf(sub.io),
  }));
}

function isGathered(context: unknown): context is { readonly gatheredInto: Completion } {
  return typeof context === "object" && context !== null && "gatheredInto" in context;
}

/** One event that serves several: each of them shows it as its only part. */
function gatheredPart(context: { readonly gatheredInto: Completion }): PartStatus {
  return {
    index: 0,
    splitBy: ownerOf(context),
    lower: null,
    collation: "gathered",
    retryCount: 0,
    elapsedMs: null,
    event: statusOf(context.gatheredInto),
  };
}

function ownerOf(context: unknown): string | null {
  if (typeof context !== "object" || context === null) return null;
  if (context instanceof CompoundIo) return context.owner.name;
  if (context instanceof SubIo) return context.compound.owner.name;
  if ("owner" in context) return ownerOf(context.owner) ?? nameOf(context.owner);
  return nameOf(context);
}

function nameOf(value: unknown): string | null {
  return typeof value === "object" && value !== null && "name" in value && typeof value.name === "string"
    ? value.name
    : null;
}
