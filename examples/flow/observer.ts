import { statusOf, subEventsOf } from "@cev/core";
import type { ActionStatus, Environment, EventStatus, Io } from "@cev/core";
import type { Watcher } from "./watch-layer.ts";

/** A request passed a device. */
export interface Passing {
  readonly direction: "down" | "up";
  readonly atMs: number;
  /** Which event of the tree: "#" is the whole, "#1" its second part, "#1.0" the first part of that. */
  readonly event: string;
  readonly device: string;
  readonly op: string;
  readonly offset: number;
  readonly length: number;
}

/** A completion action ran, or somebody who waited was woken. */
export interface Step {
  readonly atMs: number;
  readonly event: string;
  readonly what: "action" | "waiter";
  readonly name: string;
  readonly owner: string | null;
}

/** The whole tree of events at one moment. */
export interface Picture {
  readonly atMs: number;
  readonly tree: EventStatus;
}

/** The chain of actions of one event, as it was when it was looked at last. */
interface Chain {
  readonly io: Io;
  readonly generation: number;
  readonly actions: readonly ActionStatus[];
}

/** Watches one request and all that it becomes, with nothing but the live status that core offers everybody. */
export class Observer implements Watcher {
  readonly passings: Passing[] = [];
  readonly steps: Step[] = [];
  readonly pictures: Picture[] = [];
  readonly #environment: Environment;
  #root: Io | null = null;
  #startMs = 0;
  #chains = new Map<string, Chain>();
  #isPicturePlanned = false;

  constructor(environment: Environment) {
    this.#environment = environment;
  }

  get isWatching(): boolean {
    return this.#root !== null;
  }

  /** Watches this request, from before it is submitted. */
  begin(root: Io): void {
    this.#root = root;
    this.#startMs = this.#environment.clock.now();
    // Parts are timed only while somebody watches.
    root.runQueue.watch = this.#environment.clock;
  }

  /** The request is done: what is left of its chains has run. */
  end(): void {
    if (this.#root !== null) this.#root.runQueue.watch = null;
    this.#compare(new Map());
    this.#root = null;
  }

  down(io: Io, device: string): void {
    this.#pass("down", io, device);
    this.#planPicture();
  }

  up(io: Io, device: string): void {
    this.#pass("up", io, device);
    // The rest of the chain runs right after this.
    this.#environment.later(() => this.#look());
  }

  /** Somebody who waited for the event was woken. */
  woken(event: string, who: string): void {
    this.#look();
    this.steps.push({ atMs: this.#now(), event, what: "waiter", name: who, owner: null });
  }

  #now(): number {
    return this.#environment.clock.now() - this.#startMs;
  }

  #pass(direction: "down" | "up", io: Io, device: string): void {
    const { request } = statusOf(io);
    const event = this.#nameOf(io);
    // Not of this request: a superblock that is written by itself.
    if (event === null || request === undefined) return;
    const { op, offset, length } = request;
    this.passings.push({ direction, atMs: this.#now(), event, device, op, offset, length });
    this.#look();
  }

  #nameOf(io: Io): string | null {
    for (const [event, other] of eventsBelow(this.#root)) if (other === io) return event;
    return null;
  }

  /** Compares all chains with how they were: what has gone from their newest end has run. */
  #look(): void {
    if (this.#root === null) return;
    const chains = new Map<string, Chain>();
    for (const [event, io] of eventsBelow(this.#root))
      chains.set(event, { io, generation: io.generation, actions: statusOf(io).actions });
    this.#compare(chains);
  }

  #compare(now: Map<string, Chain>): void {
    // Deepest first: a part ends before what it is a part of.
    const before = [...this.#chains].toSorted(([left], [right]) => depthOf(right) - depthOf(left));
    for (const [event, chain] of before) {
      const next = now.get(event);
      const isSame = next?.io === chain.io && next.generation === chain.generation;
      const ran = isSame ? goneFrom(chain.actions, next.actions) : chain.actions;
      for (const { name, owner } of ran)
        this.steps.push({ atMs: this.#now(), event, what: "action", name, owner });
    }
    this.#chains = now;
  }

  /** A picture of the tree once all that is submitted now has been: in a later turn. */
  #planPicture(): void {
    if (this.#isPicturePlanned) return;
    this.#isPicturePlanned = true;
    this.#environment.later(() => {
      this.#isPicturePlanned = false;
      if (this.#root !== null) this.pictures.push({ atMs: this.#now(), tree: statusOf(this.#root) });
    });
  }
}

/** An event and all below it, with their names. */
function* eventsBelow(io: Io | null, event = "#"): Generator<readonly [string, Io]> {
  if (io === null) return;
  yield [event, io];
  for (const part of subEventsOf(io)) yield* eventsBelow(part.io, nameOfPart(event, part.index));
}

/** The name of one part of an event. */
export function nameOfPart(event: string, index: number): string {
  return event === "#" ? `#${index}` : `${event}.${index}`;
}

function depthOf(event: string): number {
  return event === "#" ? 0 : event.split(".").length;
}

/** Both newest first. What the two have in common stands at the old end; the rest of the first has run. */
function goneFrom(before: readonly ActionStatus[], now: readonly ActionStatus[]): readonly ActionStatus[] {
  let same = 0;
  while (same < before.length && same < now.length && isSame(before.at(-1 - same)!, now.at(-1 - same)!))
    same++;
  return before.slice(0, before.length - same);
}

function isSame(left: ActionStatus, right: ActionStatus): boolean {
  return left.name === right.name && left.owner === right.owner;
}
