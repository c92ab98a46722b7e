import { isCevError } from "@cev/core";
import type { CevError, ErrorCode } from "@cev/core";
import { lowersOf } from "./description.ts";
import type { StackDescription } from "./description.ts";
import { entryKeyOf } from "./references.ts";
import type { AnyDriver } from "./registry.ts";

/** What says that a device is not there: a file, a disk, a server. Whoever may not open it, or finds it in use, knows that it is. */
const AWAY: ReadonlySet<ErrorCode> = new Set(["CEV_NOT_FOUND", "CEV_DEVICE_LOST", "CEV_TIMED_OUT", "CEV_IO"]);
/** What is wrong with the way it was asked for, and not with the device. */
const WRONGLY_ASKED: ReadonlySet<ErrorCode> = new Set([
  ...(["CEV_INVALID", "CEV_AMBIGUOUS", "CEV_NOT_SUPPORTED", "CEV_CANCELLED", "CEV_PROGRAM"] as const),
]);

/** True where an error says that a device is not there. With `isPartial` whatever is wrong with the device counts. */
export function isAway(error: unknown, isPartial: boolean): error is CevError {
  if (!isCevError(error)) return false;
  return isPartial ? !WRONGLY_ASKED.has(error.code) : AWAY.has(error.code);
}

/** What is looked at for devices that are missing. */
export interface MissingPlan {
  readonly description: StackDescription;
  /** Keys of the entries that are opened. */
  readonly order: readonly string[];
  /** Names that somebody outside asks for. */
  readonly wanted: readonly string[];
  /** Whatever cannot be opened is left out. */
  readonly isPartial: boolean;
  readonly driverOf: (key: string) => Promise<AnyDriver>;
}

/** Devices of a description that could not be opened, and were left out: whatever stands on them can do without. */
export class MissingDevices {
  readonly #plan: MissingPlan;
  readonly #failures = new Map<string, CevError>();

  constructor(plan: MissingPlan) {
    this.#plan = plan;
  }

  /** Why the device of a name was left out; null: it was not. */
  failureOf(name: string): CevError | null {
    const key = entryKeyOf(this.#plan.description, name);
    return (key === null ? undefined : this.#failures.get(key)) ?? null;
  }

  /** Leaves an entry out for that reason, where all that stands on it can do without. False: it cannot be left out. */
  async leaveOut(key: string, error: CevError): Promise<boolean> {
    if (!(await this.#isDispensable(key))) return false;
    this.#failures.set(key, error);
    return true;
  }

  async #isDispensable(key: string): Promise<boolean> {
    const { description, order, wanted, isPartial, driverOf } = this.#plan;
    if (isPartial) return true;
    const isBelow = (name: string): boolean => entryKeyOf(description, name) === key;
    if (wanted.some(isBelow)) return false;
    const uppers = order.filter((one) =>
      lowersOf(one, description.devices[one]!).some(({ name }) => isBelow(name)),
    );
    for (const upper of uppers) {
      const { canLackLowers } = await driverOf(upper);
      if (canLackLowers !== true && !(await this.#isDispensable(upper))) return false;
    }
    return uppers.length > 0;
  }
}
