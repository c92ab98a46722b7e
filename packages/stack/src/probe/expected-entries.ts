import { CevError } from "@cev/core";
import type { Json } from "@cev/core";
import type { AnyDriver } from "../registry.ts";
import type { DeviceRecord } from "../stack-device.ts";

/** An entry that is known beforehand: nobody looks at its devices to find out what they carry. */
export interface ExpectedEntry {
  readonly driver: AnyDriver;
  /** As given, and as the driver's schema completed them. */
  readonly options: { readonly [key: string]: Json };
  readonly checked: unknown;
  /** Names of devices. */
  readonly lowers: readonly string[];
}

/** Entries that are known beforehand, and which of their devices have been found so far. */
export class ExpectedEntries {
  readonly #waiting: { readonly entry: ExpectedEntry; readonly found: Map<string, DeviceRecord> }[] = [];

  add(entry: ExpectedEntry): void {
    this.#waiting.push({ entry, found: new Map() });
  }

  /** The entry that waits for this device, if one does. */
  entryOf(record: DeviceRecord): ExpectedEntry | null {
    return this.#waiting.find(({ entry }) => entry.lowers.includes(record.name))?.entry ?? null;
  }

  /** Takes a device up. Its entry's devices, in their order, once all are there. */
  take(record: DeviceRecord, entry: ExpectedEntry): readonly DeviceRecord[] | null {
    const { found } = this.#waiting.find((one) => one.entry === entry)!;
    found.set(record.name, record);
    return found.size < entry.lowers.length ? null : entry.lowers.map((name) => found.get(name)!);
  }

  /** Throws `CEV_NOT_FOUND` for a device that was never met. */
  check(known: readonly DeviceRecord[]): void {
    for (const { entry, found } of this.#waiting) {
      const missing = entry.lowers.find((name) => !found.has(name));
      if (missing === undefined) continue;
      const names = known.map(({ name }) => name).join(", ");
      throw new CevError("CEV_NOT_FOUND", `there is no device ${missing} for ${entry.driver.name} to open`, {
        hint: names === "" ? "nothing was found" : `there are ${names}`,
      });
    }
  }
}
