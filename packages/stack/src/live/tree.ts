import { JointLayer } from "@cev/core";
import type { StackDescription } from "../description.ts";
import type { StackDevice } from "../stack-device.ts";

/** One device of a running stack. */
export interface LiveDevice {
  readonly name: string;
  readonly driver: string | null;
  /** Bytes; null: it is locked. */
  readonly size: number | null;
  readonly state: string;
  readonly lowers: readonly string[];
  /** Requests below it now. */
  readonly inFlight: number;
  /** Requests are kept back: a change is under way, or one that failed left nothing there. */
  readonly isHeld: boolean;
}

/** A running stack as plain data: the disks first, what stands on others after them. */
export interface LiveTree {
  readonly devices: readonly LiveDevice[];
  readonly exports: { readonly [name: string]: string };
}

/** What stands on what, now. */
export function liveTree(devices: readonly StackDevice[], { exports = {} }: StackDescription): LiveTree {
  return { devices: devices.map(liveDevice), exports };
}

function liveDevice({ name, driver, layer, state, lowers }: StackDevice): LiveDevice {
  const joint = layer instanceof JointLayer ? layer : null;
  return {
    name,
    driver,
    size: layer?.limits.size ?? null,
    state: joint?.isAway === true ? "held" : state,
    lowers: lowers.map((one) => one.name),
    inFlight: joint?.counts.inFlight ?? 0,
    isHeld: joint?.isQuiet ?? false,
  };
}
