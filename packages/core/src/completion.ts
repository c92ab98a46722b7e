import { CevError, ProgramError } from "./errors.ts";
import type { RunQueue } from "./run-queue.ts";
import { WaitQueue } from "./wait-queue.ts";
import type { Action, WaitEntry } from "./wait-queue.ts";

/**
 * Where an event stands. `pending`: under way. `completing`: its chain of actions is about to run. `running`:
 * an action runs now. `held`: an action holds the chain. `done`: all actions are through; waiters are woken.
 */
export const EventState = { pending: 1, completing: 2, running: 3, held: 4, done: 5 } as const;
export type EventState = (typeof EventState)[keyof typeof EventState];

type StoredAction = (event: unknown, context: unknown) => void;

/** Implemented by the context of an action that wants to hear that its event was cancelled. */
export interface CancelTarget {
  /**
   * The event was cancelled: a request, not a fact. Completing the event early (with `CEV_CANCELLED`) is
   * allowed, ignoring it too. Runs outside any completion; completions it causes run after the walk.
   */
  onCancel(event: Completion): void;
  /** What the event was gathered into together with others, if it was: those who watch follow it down. */
  readonly gatheredInto?: Completion;
}

/**
 * An event that happens once, with the wait queue it embeds: a chain of actions that run last in, first out,
 * and after them the waiters, first come first served. It is `done` only when every action has run, and
 * whoever waits is woken only then, exactly once. The base of `Io` and of `CompoundEvent`.
 */
export class Completion {
  /** @internal (function, context) pairs, oldest first. */
  entries: unknown[] = [null, null, null, null, null, null, null, null];
  /** @internal Two per action. */
  entryCount = 0;
  state: EventState = EventState.pending;
  /** Counts how often the event was recycled: whoever answers late can tell that it is not theirs any more. */
  generation = 0;
  isCancelRequested = false;
  /** The outcome; null when all went well. Actions may change it. */
  error: CevError | null = null;
  /** Where its completion runs. */
  runQueue: RunQueue;
  #owner: StoredAction | null = null;
  #ownerContext: unknown = null;
  #waiters: WaitQueue<Completion> | null = null;

  constructor(runQueue: RunQueue) {
    this.runQueue = runQueue;
  }

  /** True once every action has run and none of them left an error. */
  get isUpToDate(): boolean {
    return this.state === EventState.done && this.error === null;
  }

  /** How many waiters will be woken, the owner not counted. */
  get waiterCount(): number {
    return this.#waiters?.length ?? 0;
  }

  /**
   * Adds an action to be run when the event completes, before all that are there already. During completion
   * it runs next. Throws a `ProgramError` once the event is done.
   */
  pushAction<C>(action: Action<this, C>, context: C): void {
    if (this.state === EventState.done) throw pushedTooLate(action.name);
    const at = this.entryCount;
    this.entries[at] = action;
    this.entries[at + 1] = context;
    this.entryCount = at + 2;
  }

  /** Like `pushAction`, but the action runs in a later turn, in task context; the rest of the chain waits for it. */
  pushDeferredAction<C>(action: Action<this, C>, context: C): void {
    this.pushAction(action, context);
    this.pushAction(holdUntilLater, null);
  }

  /**
   * Asks to be woken when the event is done, first come first served. On an event that is done already the
   * function runs at once. What it throws surfaces as an uncaught error.
   */
  wait<C>(wake: Action<this, C>, context: C): WaitEntry | null {
    if (this.state === EventState.done) {
      this.#wakeOne(wake as StoredAction, context);
      return null;
    }
    this.#waiters ??= new WaitQueue<Completion>({ exclusive: "newest" });
    return this.#waiters.add(wake as Action<Completion, unknown>, context);
  }

  /** Like `wait`, among those woken after the others, newest first (its data is likely still in cache). */
  waitExclusive<C>(wake: Action<this, C>, context: C): WaitEntry | null {
    if (this.state === EventState.done) return this.wait(wake, context);
    this.#waiters ??= new WaitQueue<Completion>({ exclusive: "newest" });
    return this.#waiters.addExclusive(wake as Action<Completion, unknown>, context);
  }

  /** Stops waiting. False when it was too late: the wake-up has run or is about to. */
  stopWaiting(entry: WaitEntry): boolean {
    return this.#waiters?.remove(entry) ?? false;
  }

  /** Who made the event and is woken last of all, and who alone may recycle it. One per use of the event. */
  setOwner<C>(wake: Action<this, C>, context: C): void {
    this.#owner = wake as StoredAction;
    this.#ownerContext = context;
  }

  /** A promise of the event: resolves when it is done, rejects with its error. */
  promise(): Promise<this> {
    return new Promise((resolve, reject) => {
      this.wait(() => {
        if (this.error === null) resolve(this);
        else reject(this.error);
      }, null);
    });
  }

  /**
   * The event has happened, with this outcome: its actions run now (or right after the completion under way).
   * Exactly once: a second call throws a `ProgramError`.
   */
  complete(error: CevError | null = null): void {
    if (this.state !== EventState.pending) throw completedTwice(this);
    if (error !== null) this.error = error;
    this.state = EventState.completing;
    this.runQueue.run(this);
  }

  /**
   * `complete`, unless the event was recycled or has ended since the caller noted its `generation`. Returns
   * whether it completed. For those whose answer may come late.
   */
  completeIf(generation: number, error: CevError | null = null): boolean {
    if (generation !== this.generation || this.state !== EventState.pending) return false;
    this.complete(error);
    return true;
  }

  /** From within an action: the rest of the chain waits until `resume`. */
  hold(): void {
    if (this.state !== EventState.running)
      throw new ProgramError(`hold() outside an action (the event is ${stateName(this.state)})`);
    this.state = EventState.held;
  }

  /** Lets a held chain go on. */
  resume(): void {
    if (this.state !== EventState.held)
      throw new ProgramError(`resume() of an event that is not held (it is ${stateName(this.state)})`);
    this.state = EventState.completing;
    this.runQueue.run(this);
  }

  /**
   * From within an action, or while held: the event is under way again, its error forgotten. Whoever calls
   * this submits it again; actions still in the chain stay there.
   */
  restart(): void {
    if (this.state !== EventState.running && this.state !== EventState.held) {
      throw new ProgramError(`restart() of an event that is ${stateName(this.state)}`);
    }
    this.state = EventState.pending;
    this.error = null;
  }

  /**
   * Asks for an early end: everybody who holds the event or a part of it is told, newest first, and down
   * through all that is still under way below. A request: the outcome may still be success. Linear, never deep.
   */
  cancel(): void {
    if (this.isCancelRequested || this.state === EventState.done) return;
    this.isCancelRequested = true;
    this.runQueue.walkCancel(this);
  }

  /** @internal One step of a cancel walk. */
  tellCancelled(): void {
    for (let at = this.entryCount - 2; at >= 0; at -= 2) {
      const context = this.entries[at + 1];
      if (isCancelTarget(context)) context.onCancel(this);
    }
  }

  /** Makes the event ready for another use. Only its owner may, and only when it is done or was never used. */
  recycle(): void {
    this.entryCount = 0;
    this.state = EventState.pending;
    this.isCancelRequested = false;
    this.error = null;
    this.generation++;
  }

  /** @internal Runs the chain as far as it goes. Called by the run queue alone, which catches what an action throws. */
  advance(): void {
    this.state = EventState.running;
    const entries = this.entries;
    while (this.entryCount > 0) {
      const at = this.entryCount - 2;
      this.entryCount = at;
      (entries[at] as StoredAction)(this, entries[at + 1]);
      if (this.state !== EventState.running) return;
    }
    this.#finish();
  }

  /** @internal An action threw: its event fails. True when its chain is to go on; false when the event was handed on. */
  recordThrown(cause: unknown): boolean {
    if (this.state !== EventState.running) {
      this.runQueue.report(cause);
      return false;
    }
    const message = cause instanceof Error ? cause.message : String(cause);
    this.error ??= new CevError("CEV_PROGRAM", `a completion action threw: ${message}`, { cause });
    return true;
  }

  #finish(): void {
    this.state = EventState.done;
    if (this.#waiters !== null) this.#wakeWaiters(this.#waiters);
    if (this.#owner !== null) this.#wakeOwner(this.#owner);
  }

  #wakeWaiters(waiters: WaitQueue<Completion>): void {
    this.#waiters = null;
    try {
      waiters.wake(this, Infinity);
    } catch (error) {
      this.runQueue.report(error);
    }
  }

  /** The very last act: the owner may recycle the event, so nothing touches it afterwards. */
  #wakeOwner(owner: StoredAction): void {
    const context = this.#ownerContext;
    this.#owner = null;
    this.#ownerContext = null;
    this.#wakeOne(owner, context);
  }

  #wakeOne(wake: StoredAction, context: unknown): void {
    const runQueue = this.runQueue;
    try {
      wake(this, context);
    } catch (error) {
      runQueue.report(error);
    }
  }
}

/** The name of a state, for people. */
export function stateName(state: EventState): string {
  for (const [name, value] of Object.entries(EventState)) if (value === state) return name;
  return `in an unknown state (${state})`;
}

/** @internal */
export function completedTwice(event: Completion): ProgramError {
  return new ProgramError(`an event was completed twice (it is ${stateName(event.state)})`);
}

function pushedTooLate(name: string): ProgramError {
  return new ProgramError(`an action (${name}) was pushed onto an event that is done`);
}

function isCancelTarget(context: unknown): context is CancelTarget {
  return typeof context === "object" && context !== null && "onCancel" in context;
}

function holdUntilLater(event: Completion): void {
  event.hold();
  event.runQueue.resumeLater(event);
}
