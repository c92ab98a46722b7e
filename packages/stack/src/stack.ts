import { CevError, Device } from "@cev/core";
import type { DeviceOptions, Environment, Problem } from "@cev/core";
import type { Assembly } from "./assembly.ts";
import type { StackDescription } from "./description.ts";
import type { LiveStack } from "./live/live-stack.ts";
import { openingError } from "./own-error.ts";
import type { DeviceRecord, StackDevice } from "./stack-device.ts";

/** What a stack is made of, once it has been put together. */
export interface StackParts {
  readonly assembly: Assembly;
  /** A live stack changes them. */
  readonly devices: readonly DeviceRecord[];
  readonly description: StackDescription;
  /** Drivers add to it while the stack is in use. */
  readonly problems: Problem[];
  /** Further names of devices. A name of several devices is ambiguous. */
  readonly aliases: ReadonlyMap<string, readonly DeviceRecord[]>;
}

/** Devices with names, put together and ready to be used. Close it when done: that drains and flushes what is open. */
export class Stack implements AsyncDisposable {
  readonly devices: readonly StackDevice[];
  /** What is not as it should be, and did not stop the work; grows while the stack is in use. */
  readonly problems: readonly Problem[];
  readonly environment: Environment;
  /** Changes it while it is in use; null: it was not opened for that. */
  readonly live: LiveStack | null;
  readonly #parts: StackParts;
  readonly #open = new Set<Device>();

  /** Use `openStack`, `openStackFile` or `openImages`. */
  constructor(parts: StackParts, live: LiveStack | null = null) {
    this.#parts = parts;
    this.live = live;
    this.devices = parts.devices;
    this.problems = parts.problems;
    this.environment = parts.assembly.options.environment;
  }

  /** Names for those outside, and the names of the devices they stand for. */
  get exports(): ReadonlyMap<string, string> {
    return new Map(Object.entries(this.#parts.description.exports ?? {}));
  }

  /** The device of a name: its own, an export's, or another that fits it alone. Throws `CEV_NOT_FOUND`, `CEV_AMBIGUOUS`. */
  find(name: string): StackDevice {
    const exported = this.exports.get(name);
    const wanted = exported ?? name;
    const device = this.#parts.devices.find((one) => one.name === wanted);
    if (device !== undefined) return device;
    const several = this.#parts.aliases.get(wanted) ?? [];
    if (several.length === 1) return several[0]!;
    if (several.length > 1) {
      throw new CevError(
        "CEV_AMBIGUOUS",
        `several devices answer to the name ${wanted}: ${several.map((one) => one.name).join(", ")}`,
        { hint: "use one of these names" },
      );
    }
    const children = this.devices.filter((one) => one.name.startsWith(`${wanted}/`));
    const known = (children.length > 0 ? children : this.devices).map((one) => one.name);
    throw new CevError("CEV_NOT_FOUND", `there is no device ${wanted}`, { hint: listText(known) });
  }

  /** The devices that nothing else stands on. */
  get uppermost(): readonly StackDevice[] {
    const lowers = new Set(this.devices.flatMap((one) => one.lowers));
    return this.devices.filter((one) => !lowers.has(one) && one.layer !== null);
  }

  /** Opens a device for requests, and all below it that is not open yet. Closed with the stack, or before by itself. */
  async open(name: string, options: DeviceOptions = {}): Promise<Device> {
    const { layer, name: fullName, lowers, driver } = this.find(name);
    if (layer === null) {
      throw new CevError("CEV_KEY_REQUIRED", `${fullName} is locked`, {
        source: lowers[0]?.name ?? fullName,
        hint: "give a passphrase or a key file",
      });
    }
    const isReadOnly = options.isReadOnly === true || this.#parts.assembly.options.isReadOnly;
    try {
      const device = await Device.open(layer, this.environment, { name: fullName, ...options, isReadOnly });
      this.#open.add(device);
      return device;
    } catch (error) {
      throw openingError(driver, this.#parts.assembly.placeOf(fullName), error);
    }
  }

  /**
   * Lets go of a device that what stood on it has given back, and of all below it that nothing else of the stack stands on:
   * its file can be opened anew.
   */
  async release(name: string): Promise<void> {
    await (this.live === null ? this.#release(name) : this.live.inTurn(() => this.#release(name)));
  }

  async #release(name: string): Promise<void> {
    const released = new Set<StackDevice>();
    const collect = (device: StackDevice): void => {
      released.add(device);
      for (const lower of device.lowers) {
        const uppers = this.devices.filter((one) => one.lowers.includes(lower));
        if (uppers.every((one) => released.has(one))) collect(lower);
      }
    };
    collect(this.find(name));
    const layers = [...released].flatMap(({ layer }) => (layer === null ? [] : [layer]));
    await this.#parts.assembly.closeLayers(layers);
  }

  /** Takes up what was known of its devices before, where it says nothing of that itself. */
  addEarlierProblems(earlier: readonly Problem[]): void {
    const { problems } = this.#parts;
    const known = new Set(problems.map((one) => one.message));
    problems.unshift(...earlier.filter((one) => !known.has(one.message)));
  }

  /** Enough to build the stack again with `openStack`; keys that were handed in are not part of it. */
  describe(): StackDescription {
    return this.#parts.description;
  }

  /** Closes every device that is open, which drains and flushes it, then every layer, uppermost first. */
  async close(): Promise<void> {
    const errors: unknown[] = [];
    await this.live?.end();
    for (const device of this.#open) await device.close().catch((error: unknown) => errors.push(error));
    this.#open.clear();
    await this.#parts.assembly.close().catch((error: unknown) => errors.push(error));
    if (errors.length > 0) throw errors[0];
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

const LISTED_MAX = 12;

function listText(names: readonly string[]): string {
  if (names.length === 0) return "nothing was found";
  const more = names.length - LISTED_MAX;
  return `there are ${names.slice(0, LISTED_MAX).join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}
