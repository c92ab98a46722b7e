import { CevError, INTERFACE_VERSION } from "@cev/core";
import type { Driver } from "@cev/core";

/** A driver whatever its options. */
export type AnyDriver = Driver;

/**
 * The drivers that are known by name: a value, not a place where modules sign up. Their order counts when unknown images
 * are looked at: the first driver that knows a device gets it.
 */
export class DriverRegistry implements Iterable<AnyDriver> {
  readonly #byName: ReadonlyMap<string, AnyDriver>;

  constructor(drivers: Iterable<AnyDriver>) {
    const byName = new Map<string, AnyDriver>();
    for (const driver of drivers) {
      checkDriver(driver, driver.name);
      if (byName.has(driver.name)) {
        throw new CevError("CEV_AMBIGUOUS", `two drivers are named ${driver.name}`);
      }
      byName.set(driver.name, driver);
    }
    this.#byName = byName;
  }

  /** A registry with one more driver, asked last. */
  with(driver: AnyDriver): DriverRegistry {
    return new DriverRegistry([...this, driver]);
  }

  get(name: string): AnyDriver | undefined {
    return this.#byName.get(name);
  }

  get names(): readonly string[] {
    return [...this.#byName.keys()];
  }

  [Symbol.iterator](): Iterator<AnyDriver> {
    return this.#byName.values();
  }
}

/** Throws unless the value is a driver of an interface version that is known here. `where`: for the message. */
export function checkDriver(value: unknown, where: string): asserts value is AnyDriver {
  if (!isDriverLike(value)) {
    throw new CevError("CEV_INVALID", `${where} is not a driver`, {
      hint: "a driver has name, interfaceVersion, options, lowers and open",
    });
  }
  if (value.interfaceVersion !== INTERFACE_VERSION) {
    throw new CevError(
      "CEV_NOT_SUPPORTED",
      `the driver ${value.name} was written for version ${String(value.interfaceVersion)} of the driver interface, and only version ${INTERFACE_VERSION} is known here`,
      { hint: "install versions of the driver and of cev that fit together" },
    );
  }
  if (typeof value.options !== "object" || typeof value.lowers !== "object") {
    throw new CevError("CEV_INVALID", `the driver ${value.name} lacks its options or its lowers`, {
      hint: "options is a Standard Schema, lowers is { countMin, countMax }",
    });
  }
}

/** True for what looks like a driver, of whatever version. */
export function isDriverLike(value: unknown): value is AnyDriver {
  return (
    typeof value === "object" &&
    value !== null &&
    "name" in value &&
    typeof value.name === "string" &&
    "interfaceVersion" in value &&
    "open" in value &&
    typeof value.open === "function"
  );
}
