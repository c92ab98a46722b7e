import { isCevError } from "@cev/core";
import type { Details, JointLayer, JointSwap, Layer, Problem } from "@cev/core";
import type { Assembly } from "../assembly.ts";
import { ownError } from "../own-error.ts";
import type { AnyDriver } from "../registry.ts";
import type { DeviceRecord } from "../stack-device.ts";
import { jointOf, openOne } from "./plan-change.ts";
import type { CheckedChange } from "./plan-change.ts";
import type { WaitLimits } from "./within.ts";

/** A layer that was put into a place, and the joint that it stands on. */
interface Put {
  readonly driver: string;
  readonly own: Layer;
  readonly state: string;
  readonly details: Details;
  readonly under: JointLayer;
}

/** What a place has instead of the layer that was to come: the one that was there. */
interface Exchange {
  readonly next: CheckedChange;
  /** What was there, to be opened anew where the next one cannot be; null: nothing. */
  readonly last: (() => Promise<CheckedChange>) | null;
  /** Of opening the next one. */
  readonly limits: WaitLimits;
}

interface PlacesParts {
  readonly assembly: Assembly;
  readonly problems: Problem[];
}

/** Opens and closes layers at the places of a stack that are quiet. */
export class Places {
  readonly #assembly: Assembly;
  readonly #problems: Problem[];

  constructor({ assembly, problems }: PlacesParts) {
    this.#assembly = assembly;
    this.#problems = problems;
  }

  /** Opens a layer over a new joint, which stands where the lower's own joint stands, and puts the joint of the place on it. */
  async put(
    joint: JointLayer,
    swap: JointSwap,
    { plan, driver }: CheckedChange,
    lower: DeviceRecord,
    limits: WaitLimits,
  ): Promise<Put> {
    const under = this.#assembly.jointOver(jointOf(lower).below);
    try {
      const { layer, state, details } = await openOne(this.#assembly, plan, under, {
        report: this.#report,
        limits,
      });
      await this.#overNew(joint, swap, layer, driver);
      return { driver: driver.name, own: layer, state, details, under };
    } finally {
      // The layer on it has it open by now.
      await this.letGo(under);
    }
  }

  /** Another disk. */
  async exchangeDisk(
    record: DeviceRecord,
    swap: JointSwap,
    { driver, plan }: CheckedChange,
    limits: WaitLimits,
  ): Promise<void> {
    const opening = { report: this.#report, limits };
    const { layer, state, details } = await openOne(this.#assembly, plan, null, opening);
    await this.#overNew(jointOf(record), swap, layer, driver);
    Object.assign(record, { driver: driver.name, own: layer, state, details });
  }

  /** The new layer is opened while the old one is there still. */
  async exchange(
    record: DeviceRecord,
    lower: DeviceRecord,
    swap: JointSwap,
    checked: CheckedChange,
    limits: WaitLimits,
  ): Promise<void> {
    const underneath = jointOf(lower);
    const { under, ...made } = await this.put(jointOf(record), swap, checked, lower, limits);
    await this.letGo(underneath);
    under.counts.add(underneath.counts);
    lower.layer = under;
    Object.assign(record, made);
  }

  /** The old layer is closed first. Where neither the new one can be opened nor the old one anew, the joint stands on nothing. */
  async exchangeAlone(
    record: DeviceRecord,
    lower: DeviceRecord,
    swap: JointSwap,
    { next, last, limits }: Exchange,
  ): Promise<void> {
    const joint = jointOf(record);
    const underneath = jointOf(lower);
    // Keeps open what lies below, whatever comes of it.
    const keeper = this.#assembly.jointOver(underneath.below);
    await this.#assembly.ensureOpen({ ...lower, layer: keeper });
    try {
      try {
        await swap.leave();
      } finally {
        await this.letGo(underneath);
      }
      await this.#mount(record, lower, swap, next, limits);
    } catch (error) {
      if (joint.isAway) await this.#restore(record, lower, swap, last);
      throw error;
    } finally {
      if (joint.isAway) {
        keeper.counts.add(jointOf(lower).counts);
        lower.layer = keeper;
      } else await this.letGo(keeper);
    }
  }

  /** The same, where the layer is one that the driver just made. */
  async #overNew(joint: JointLayer, swap: JointSwap, layer: Layer, { name }: AnyDriver): Promise<void> {
    try {
      await this.over(joint, swap, layer);
    } catch (error) {
      throw ownError(name, error);
    }
  }

  /** What goes away and cannot be closed does not undo the exchange. */
  async over(joint: JointLayer, swap: JointSwap, layer: Layer): Promise<void> {
    try {
      await swap.over(layer);
    } catch (error) {
      if (joint.below !== layer || joint.isAway) throw error;
      const code = isCevError(error) ? error.code : "CEV_PROGRAM";
      const message = `what was taken out could not be closed: ${messageOf(error)}`;
      this.#report({ severity: "warning", code, message });
    }
  }

  /** The stack does not keep a joint open any more that it opened for what stood on it. */
  async letGo(joint: JointLayer): Promise<void> {
    await this.#assembly.closeLayers([joint]);
  }

  async #mount(
    record: DeviceRecord,
    lower: DeviceRecord,
    swap: JointSwap,
    checked: CheckedChange,
    limits: WaitLimits,
  ): Promise<void> {
    const { under, ...made } = await this.put(jointOf(record), swap, checked, lower, limits);
    under.counts.add(jointOf(lower).counts);
    lower.layer = under;
    Object.assign(record, made);
  }

  async #restore(
    record: DeviceRecord,
    lower: DeviceRecord,
    swap: JointSwap,
    last: Exchange["last"],
  ): Promise<void> {
    try {
      // What was there a moment ago has as long as it takes: without it requests wait for somebody to come.
      if (last !== null) await this.#mount(record, lower, swap, await last(), {});
    } catch (error) {
      const message = `${record.name} could not be opened anew: ${messageOf(error)}; its requests wait until something else is put there`;
      this.#report({ severity: "error", code: "CEV_DEVICE_LOST", message, device: record.name });
    }
  }

  readonly #report = (problem: Problem): void => void this.#problems.push(problem);
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
