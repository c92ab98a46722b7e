import { CevError, interfaceIssue } from "@cev/core";
import type { Driver } from "@cev/core";

/** A driver whatever its options. */
export type AnyDriver = Driver;

/** A driver that is known by its name, and loaded when it is first asked for. It does not take part when images are looked at. */
export interface LaterDriver {
  readonly name: string;
  /** Imports it. */
  readonly load: () => Promise<AnyDriver>;
}

/**
 * The drivers that are known by name: a value, not a place where modules sign up. Their order counts when unknown images
 * are looked at: the first driver that knows a device gets it.
 */
export class DriverRegistry implements Iterable<AnyDriver> {
  /** Those that are loaded when they are asked for. */
  readonly later: readonly LaterDriver[];
  readonly #byName: ReadonlyMap<string, AnyDriver>;

  constructor(drivers: Iterable<AnyDriver>, later: Iterable<LaterDriver> = []) {
    const byName = new Map<string, AnyDriver>();
    for (const driver of drivers) {
      checkDriver(driver, driver.name);
      if (byName.has(driver.name)) {
        throw new CevError("CEV_AMBIGUOUS", `two drivers are named ${driver.name}`);
      }
      byName.set(driver.name, driver);
    }
    this.#byName = byName;
    // What is there already need not be loaded.
    this.later = [...later].filter(({ name }) => !byName.has(name));
  }

  /** A registry with one more driver, asked last. */
  with(driver: AnyDriver): DriverRegistry {
    return new DriverRegistry([...this, driver], this.later);
  }

  get(name: string): AnyDriver | undefined {
    return this.#byName.get(name);
  }

  /** The same, also of those that are loaded when they are asked for. */
  async find(name: string): Promise<AnyDriver | undefined> {
    const known = this.#byName.get(name);
    if (known !== undefined) return known;
    const driver = await this.later.find((one) => one.name === name)?.load();
    if (driver !== undefined) checkDriver(driver, name);
    return driver;
  }

  /** Of all that are known, loaded or not. */
  get names(): readonly string[] {
    return [...this.#byName.keys(), ...this.later.map(({ name }) => name)];
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
  const issue = interfaceIssue(value.interfaceVersion);
  if (issue !== null) throw new CevError("CEV_NOT_SUPPORTED", `the driver ${value.name} ${issue}`);
  if (!isStandardSchema(value.options) || typeof value.lowers !== "object") {
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

/** A validator may as well be a function, with its schema as a property. */
function isStandardSchema(value: unknown): boolean {
  const hasProperties = (typeof value === "object" && value !== null) || typeof value === "function";
  if (!hasProperties || !("~standard" in value)) return false;
  const standard = value["~standard"];
  return (
    typeof standard === "object" &&
    standard !== null &&
    "validate" in standard &&
    typeof standard.validate === "function"
  );
}
