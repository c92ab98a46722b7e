import { CevError, isCevError } from "@cev/core";
import type { JointSwap, Problem, QuiesceStep } from "@cev/core";
import type { Assembly } from "../assembly.ts";
import { isDeviceName } from "../description.ts";
import type { StackDescription } from "../description.ts";
import type { AnyDriver, DriverRegistry } from "../registry.ts";
import type { DeviceRecord, StackDevice } from "../stack-device.ts";
import { resolveDriver } from "../third-party.ts";
import { checkChange, checkContent, forgetKeys, jointOf, planOf } from "./plan-change.ts";
import type { ChangePlan, CheckedChange } from "./plan-change.ts";
import { Places } from "./places.ts";
import { withInserted, withRemoved, withReplaced } from "./rewrite-description.ts";
import type { NameOf } from "./rewrite-description.ts";
import { statsNow, statsOver } from "./stats.ts";
import type { LiveStats } from "./stats.ts";
import type { RequestTree } from "./request-tree.ts";
import { Tracer } from "./trace.ts";
import type { TraceOptions, TraceReport } from "./trace.ts";
import { liveTree } from "./tree.ts";
import type { LiveTree } from "./tree.ts";
import { within } from "./within.ts";
import type { WaitLimits } from "./within.ts";

/** How a change is made. */
export interface ChangeOptions {
  /**
   * How long another change, requests under way, and the driver of what is to be put in may each take, in milliseconds: then nothing is
   * changed. Default: as long as they take.
   */
  readonly timeoutMs?: number;
  /** Calls the change off while any of these is waited for. */
  readonly signal?: AbortSignal;
  /** Is told how far it is, and how many requests are waited for. */
  readonly onStep?: (step: QuiesceStep, inFlight: number) => void;
}

/** What a stack is made of, as changes leave it. */
interface LiveParts {
  readonly assembly: Assembly;
  readonly devices: DeviceRecord[];
  readonly aliases: Map<string, readonly DeviceRecord[]>;
  readonly problems: Problem[];
  description: StackDescription;
}

interface LivePlan extends LiveParts {
  readonly registry: DriverRegistry;
  /** Where relative paths and packages are looked for. */
  readonly directory: string;
}

/**
 * Changes a stack while it is in use, and tells what goes on in it. One change at a time; requests at the place that is changed are kept
 * back meanwhile, and none fails for it. `Stack.describe` builds what runs now.
 */
export class LiveStack {
  /** @internal Shared with the stack. */
  readonly parts: LiveParts;
  readonly #plan: LivePlan;
  readonly #places: Places;
  readonly #tracer: Tracer;
  readonly #ending = new AbortController();
  #last: Promise<unknown> = Promise.resolve();

  /** Use `openStack` with `isLive`. */
  constructor(plan: LivePlan) {
    this.parts = plan;
    this.#plan = plan;
    this.#places = new Places(plan);
    this.#tracer = new Tracer(plan.devices, plan.assembly.options.environment);
  }

  /** What stands on what, now. */
  tree(): LiveTree {
    return liveTree(this.parts.devices, this.parts.description);
  }

  /** What would build it as it is now. */
  describe(): StackDescription {
    return this.parts.description;
  }

  /** What went through each device: since it is there, or in so many seconds from now on. */
  stats({
    seconds,
    signal,
  }: { readonly seconds?: number; readonly signal?: AbortSignal } = {}): Promise<LiveStats> {
    const { devices, assembly } = this.parts;
    return seconds === undefined
      ? Promise.resolve(statsNow(devices))
      : statsOver(devices, seconds, assembly.options.environment, this.#signalOf({ signal }));
  }

  /** Requests from now on, each when it has ended, as the tree of what it became. */
  trace(options: TraceOptions, report?: TraceReport): AsyncGenerator<RequestTree, void> {
    return this.#tracer.requests({ ...options, signal: this.#signalOf(options) }, report);
  }

  /**
   * Puts a layer on a device, below all that stands there. Throws `CEV_NOT_FOUND`, `CEV_NOT_SUPPORTED` (a driver that stores something, and
   * that was not allowed), `CEV_INVALID` (it cannot keep what the device offers), `CEV_TIMED_OUT`, `CEV_CANCELLED`, or what opening it
   * threw: then all is as it was.
   */
  insert(above: string, plan: ChangePlan, options: ChangeOptions = {}): Promise<StackDevice> {
    return this.#inTurn(options, async () => {
      const target = this.#find(above);
      const joint = jointOf(target);
      if (joint.isAway)
        throw new CevError("CEV_DEVICE_LOST", `nothing is there that ${plan.driver} could stand on`, {
          source: target.name,
          hint: "replace it first",
        });
      const name = this.#newName(plan, target.name);
      const checked = await checkChange(plan, name, target, this.#plan);
      return this.#changeAt(target, checked, options, async (swap) => {
        const { under, ...made } = await this.#places.put(
          joint,
          swap,
          checked,
          target,
          this.#limitsOf(options),
        );
        const record = { ...made, name, layer: joint, lowers: [target], content: null };
        const nameOf = this.#nameOf();
        this.#move(target, record);
        target.layer = under;
        under.counts.add(joint.counts);
        joint.counts.reset();
        this.parts.devices.splice(this.parts.devices.indexOf(target) + 1, 0, record);
        this.#describe((now) =>
          withInserted(now, { name, above: target.name, entry: checked.entry }, nameOf),
        );
        return record;
      });
    });
  }

  /** Takes out a layer: what stood on it stands on what it stood on. Throws as `insert` does. */
  remove(name: string, options: ChangeOptions & { readonly changesContent?: boolean } = {}): Promise<void> {
    return this.#inTurn(options, async () => {
      const record = this.#find(name);
      const joint = jointOf(record);
      const lower = this.#onlyLower(record);
      checkContent([await this.#driverOf(record)], options.changesContent);
      await this.parts.assembly.ensureOpen(record);
      const underneath = jointOf(lower);
      await this.#quiesce(record, options, async (swap) => {
        await this.#places.over(joint, swap, underneath.below);
        await this.#places.letGo(underneath);
        const nameOf = this.#nameOf();
        lower.layer = joint;
        joint.counts.reset();
        joint.counts.add(underneath.counts);
        this.#move(record, lower);
        this.parts.devices.splice(this.parts.devices.indexOf(record), 1);
        this.#forgetAliases(record);
        this.#describe((now) => withRemoved(now, { name: record.name, below: lower.name }, nameOf));
      });
    });
  }

  /**
   * Puts another layer, or another disk of the same size at least, in the place of one. Where the two store something, the old one is closed
   * before the new one is opened; where that fails, the old one is opened anew; where that fails too, requests are kept back until
   * another change puts something there. Throws as `insert` does.
   */
  replace(name: string, plan: ChangePlan, options: ChangeOptions = {}): Promise<StackDevice> {
    return this.#inTurn(options, async () => {
      const record = this.#find(name);
      const joint = jointOf(record);
      const lower = record.lowers.length === 0 ? null : this.#onlyLower(record);
      const present = joint.isAway ? [] : [await this.#driverOf(record)];
      const checked = await checkChange(plan, record.name, lower, this.#plan, present);
      const isGentle = [checked.driver, ...present].every(({ isFilter }) => isFilter === true);
      const limits = this.#limitsOf(options);
      await this.#changeAt(record, checked, options, async (swap) => {
        if (lower === null) await this.#places.exchangeDisk(record, swap, checked, limits);
        else if (isGentle && !joint.isAway) await this.#places.exchange(record, lower, swap, checked, limits);
        else
          await this.#places.exchangeAlone(record, lower, swap, {
            next: checked,
            last: this.#lastOf(record),
            limits,
          });
        this.#describe((now) => withReplaced(now, record.name, checked.entry));
      });
      return record;
    });
  }

  /** @internal One after the other; refused once the stack is being closed. */
  inTurn<T>(run: () => Promise<T>): Promise<T> {
    return this.#inTurn({}, run);
  }

  #inTurn<T>(options: ChangeOptions, run: () => Promise<T>): Promise<T> {
    const before = this.#last;
    const { clock } = this.parts.assembly.options.environment;
    const turn = within(before, options, { clock, what: "the change before it did not end" }).then(() => {
      if (this.#ending.signal.aborted) throw new CevError("CEV_CLOSED", "the stack is being closed");
      return run();
    });
    // Whoever gives up waiting is not the end of what is waited for.
    this.#last = turn.then(
      () => undefined,
      () => before,
    );
    return turn;
  }

  /**
   * No change is made any more: waits for the one under way, which is called off where it can be. Requests that wait at a place where nothing
   * stands fail with `CEV_DEVICE_LOST`. Closing the stack begins with it.
   */
  async end(): Promise<void> {
    this.#ending.abort(new CevError("CEV_CLOSED", "the stack is being closed"));
    await this.#last;
    for (const one of this.parts.devices) if (one.layer !== null) jointOf(one).giveUp();
  }

  #signalOf({ signal }: { readonly signal?: AbortSignal | undefined }): AbortSignal {
    return signal === undefined ? this.#ending.signal : AbortSignal.any([signal, this.#ending.signal]);
  }

  #limitsOf(options: ChangeOptions): WaitLimits {
    const { timeoutMs } = options;
    return { signal: this.#signalOf(options), ...(timeoutMs === undefined ? {} : { timeoutMs }) };
  }

  async #quiesce<T>(
    record: DeviceRecord,
    options: ChangeOptions,
    change: (swap: JointSwap) => Promise<T>,
  ): Promise<T> {
    let isQuiet = false;
    let isFlushing = false;
    const onStep = (step: QuiesceStep, inFlight: number): void => {
      isFlushing = step === "flushing";
      options.onStep?.(step, inFlight);
    };
    const begin = (swap: JointSwap): Promise<T> => {
      isQuiet = true;
      return change(swap);
    };
    try {
      return await jointOf(record).quiesce(begin, { ...options, onStep, signal: this.#signalOf(options) });
    } catch (error) {
      if (isFlushing && isCevError(error))
        throw new CevError(error.code, `what was written could not be flushed: ${error.message}`, {
          source: record.name,
          hint: "nothing was changed, and the next flush from above gets the error",
          cause: error,
        });
      // What is flushed or opened may take too long, too: that tells of itself.
      const isOther = isQuiet || !isCevError(error) || error.place.source !== undefined;
      if (isOther || error.code !== "CEV_TIMED_OUT") throw error;
      throw new CevError(error.code, error.message, {
        source: record.name,
        hint: "give it longer, or have whoever sent them call them off; tree shows where requests are under way",
        cause: error,
      });
    }
  }

  /** Opens the place of a device, and makes a change there that was checked. Its keys are wiped, also where it comes to nothing. */
  async #changeAt<T>(
    record: DeviceRecord,
    { plan }: CheckedChange,
    options: ChangeOptions,
    change: (swap: JointSwap) => Promise<T>,
  ): Promise<T> {
    try {
      await this.parts.assembly.ensureOpen(record);
      return await this.#quiesce(record, options, change);
    } finally {
      forgetKeys(plan);
    }
  }

  /** Builds a device again as it is described; null: nothing is there. */
  #lastOf(record: DeviceRecord): (() => Promise<CheckedChange>) | null {
    const entry = this.parts.description.devices[record.name];
    if (entry === undefined || jointOf(record).isAway) return null;
    return async () => {
      const driver = await this.#driverOf(record);
      return { driver, entry, plan: await planOf(record.name, entry, driver, record.lowers[0]!, this.#plan) };
    };
  }

  /** A device by its own name, as `tree` tells it; else by an export's. */
  #find(name: string): DeviceRecord {
    const named = (wanted: string): DeviceRecord | undefined =>
      this.parts.devices.find((one) => one.name === wanted);
    const wanted = this.parts.description.exports?.[name] ?? name;
    const found = named(name) ?? named(wanted);
    if (found !== undefined) return found;
    const [device, ...others] = this.parts.aliases.get(wanted) ?? [];
    if (device !== undefined && others.length === 0) return device;
    const names = this.parts.devices.map((one) => one.name);
    throw new CevError(
      device === undefined ? "CEV_NOT_FOUND" : "CEV_AMBIGUOUS",
      device === undefined ? `there is no device ${name}` : `several devices answer to the name ${name}`,
      { hint: `there are ${names.join(", ")}` },
    );
  }

  /** What a layer stands on, alone. Throws for those that can neither be taken out nor exchanged. */
  #onlyLower(record: DeviceRecord): DeviceRecord {
    const [lower, ...others] = record.lowers;
    const fail = (why: string): never => {
      throw new CevError("CEV_NOT_SUPPORTED", `${record.name} ${why}`, {
        hint: "only a layer between two others can be taken out",
      });
    };
    if (lower === undefined) return fail("stands on nothing");
    if (others.length > 0) return fail(`stands on ${record.lowers.length} devices`);
    if (this.parts.description.devices[record.name] === undefined)
      return fail("is one of several that came together");
    const beside = this.parts.devices.find((one) => one !== record && one.lowers.includes(lower));
    if (beside !== undefined) return fail(`is not alone on ${lower.name}: ${beside.name} stands there, too`);
    return lower;
  }

  /** The driver of a device that has an entry of its own. */
  async #driverOf(record: DeviceRecord): Promise<AnyDriver> {
    const entry = this.parts.description.devices[record.name];
    if (entry === undefined)
      throw new CevError("CEV_NOT_SUPPORTED", `${record.name} has no entry of its own that could be changed`);
    return resolveDriver(entry.driver, this.#plan.registry, this.#plan.directory);
  }

  /** The name, or with a number behind it where that is taken. */
  #freeName(name: string): string {
    const isTaken = (one: string): boolean => this.parts.devices.some((device) => device.name === one);
    for (let count = 1; ; count++) {
      const tried = count === 1 ? name : `${name}-${count}`;
      if (!isTaken(tried)) return tried;
    }
  }

  #newName({ name, driver }: ChangePlan, above: string): string {
    if (name === undefined) return this.#freeName(`${above}+${shortName(driver)}`);
    if (!isDeviceName(name) || this.#freeName(name) !== name)
      throw new CevError("CEV_INVALID", `${JSON.stringify(name)} is taken, or is no name`, {
        hint: "choose another name",
      });
    return name;
  }

  /** All that stood on one device stands on another. */
  #move(from: DeviceRecord, to: DeviceRecord): void {
    for (const one of this.parts.devices)
      if (one.lowers.includes(from)) one.lowers = one.lowers.map((lower) => (lower === from ? to : lower));
  }

  #forgetAliases(record: DeviceRecord): void {
    for (const [name, records] of this.parts.aliases)
      this.parts.aliases.set(
        name,
        records.filter((one) => one !== record),
      );
  }

  #nameOf(): NameOf {
    const names = new Map(
      [...this.parts.aliases].map(([alias, records]) => [alias, records[0]?.name ?? alias]),
    );
    for (const { name } of this.parts.devices) names.set(name, name);
    return (reference) => names.get(reference) ?? reference;
  }

  #describe(rewrite: (now: StackDescription) => StackDescription): void {
    this.parts.description = rewrite(this.parts.description);
    this.#tracer.renew();
  }
}

/** `throttle`, of `@cev/test-kit/throttle` and of `./throttle.ts`. */
function shortName(driver: string): string {
  return driver.slice(driver.lastIndexOf("/") + 1).replace(/(?<=.)\.\w+$/, "");
}
