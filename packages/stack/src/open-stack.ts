import { CevError, formatError, isCevError } from "@cev/core";
import type {
  AbortSignalLike,
  Environment,
  KeyQuestion,
  KeySource,
  KeyVault,
  Layer,
  NamedLayer,
  Problem,
} from "@cev/core";
import { Assembly } from "./assembly.ts";
import type { EntryPlan, OpenedEntry } from "./assembly.ts";
import { checkDescription, lowersOf, optionsOf } from "./description.ts";
import type { DeviceEntry, LowerReference, StackDescription } from "./description.ts";
import { checkOptions } from "./driver-options.ts";
import { LiveStack } from "./live/live-stack.ts";
import { fileIdentity } from "./file-identity.ts";
import { readKeysOf } from "./key-files.ts";
import { MissingDevices, isAway } from "./missing-devices.ts";
import { descriptionError, pathText, placed } from "./places.ts";
import { orderEntries } from "./references.ts";
import { DriverRegistry } from "./registry.ts";
import type { AnyDriver } from "./registry.ts";
import type { DeviceRecord } from "./stack-device.ts";
import { readStackFile } from "./stack-file.ts";
import { Stack } from "./stack.ts";
import { resolveDriver } from "./third-party.ts";

/** How a stack is opened. */
export interface OpenStackOptions {
  readonly environment: Environment;
  /** Drivers known by name, in the order in which they are asked about unknown images. */
  readonly drivers: DriverRegistry | Iterable<AnyDriver>;
  /** Nothing is written, not one byte. Default false. */
  readonly isReadOnly?: boolean;
  /** Allow writing where redundancy is missing. Default false. */
  readonly canWriteDegraded?: boolean;
  /** What cannot be opened is a problem of the stack, and the rest is opened: for whoever only looks. Default false. */
  readonly isPartial?: boolean;
  /** Passphrases, as bytes; each is tried on each lock. They can be wiped once the stack is open. */
  readonly keys?: readonly Uint8Array[];
  /** Contents of key files, tried after the passphrases. Most formats treat both alike; plain dm-crypt hashes passphrases alone. */
  readonly keyFiles?: readonly Uint8Array[];
  /** Asks a person for the key of a lock that none was given for. Null: there is no answer. The answer is wiped. */
  readonly ask?: (question: KeyQuestion) => Promise<Uint8Array | null>;
  /** Ends the opening, as far as drivers can: deriving keys. */
  readonly signal?: AbortSignalLike;
  /** Is told, in a few words, when a driver begins what may take long: "unlocking luks/<UUID>". */
  readonly onWork?: (what: string) => void;
  /** Is told of what drivers report, also while the stack is in use; `problems` has it, too. */
  readonly onProblem?: (problem: Problem) => void;
  /** Open only what these devices or exports need. Default: everything. */
  readonly only?: readonly string[];
  /** Where relative paths and packages are looked for. Default: the current directory. */
  readonly directory?: string;
  /** What messages call the description. Default "stack". */
  readonly source?: string;
  /** Devices that are there already, by the names they are given. */
  readonly layers?: readonly NamedLayer[];
  /**
   * Puts a layer around each device that a driver made, below whatever stands on it: to count, check or delay what passes.
   * `name`: as the driver proposed it, else the entry's.
   */
  readonly around?: (layer: Layer, name: string) => Layer;
  /** Layers can be put in, taken out and exchanged while it is in use, through `Stack.live`. Default false. */
  readonly isLive?: boolean;
  /** The description was put together by a program: errors name devices, not places in it. Default false. */
  readonly isFound?: boolean;
}

/** Opens a stack file. Throws with the place in the file where it cannot be. */
export async function openStackFile(path: string, options: OpenStackOptions): Promise<Stack> {
  const { description, directory, source } = await readStackFile(path);
  return openStack(description, { directory, source, ...options });
}

/** Opens a stack from its description: the same as a stack file, as plain data. */
export function openStack(description: StackDescription, options: OpenStackOptions): Promise<Stack> {
  return buildStack(description, options, { isFound: options.isFound ?? false });
}

/** What drivers get of the keys that were given. */
export function keySourceOf(
  { keys = [], keyFiles = [], ask }: Pick<OpenStackOptions, "keys" | "keyFiles" | "ask">,
  vault?: KeyVault,
): KeySource {
  return {
    keys: [...keys, ...keyFiles],
    keyFiles,
    ...(ask === undefined ? {} : { ask }),
    ...(vault === undefined ? {} : { vault }),
  };
}

/** Opens a stack. `isFound`: its description was found out, and not written by anybody. `vault`: what was derived before. */
export async function buildStack(
  description: StackDescription,
  options: OpenStackOptions,
  { isFound, vault }: { readonly isFound: boolean; readonly vault?: KeyVault },
): Promise<Stack> {
  const source = options.source ?? "stack";
  const checked = checkDescription(description, source);
  const registry =
    options.drivers instanceof DriverRegistry ? options.drivers : new DriverRegistry(options.drivers);
  const assembly = new Assembly({
    environment: options.environment,
    keySource: keySourceOf(options, vault),
    signal: options.signal,
    onWork: options.onWork,
    onProblem: options.onProblem,
    isReadOnly: options.isReadOnly ?? false,
    canWriteDegraded: options.canWriteDegraded ?? false,
    around: options.around ?? null,
    isLive: options.isLive ?? false,
    resolve: (name, directory) => resolveDriver(name, registry, directory),
    ...(isFound ? {} : { placeOf: (name) => `${source}: ${pathText(["devices", name])}` }),
  });
  const building = new Building({ description: checked, source, options, registry, assembly, isFound });
  try {
    await building.run();
  } catch (error) {
    await assembly.close().catch(() => undefined);
    throw error;
  } finally {
    building.wipeKeys();
  }
  assembly.endBuilding();
  const { devices, aliases, problems } = building;
  const parts = { assembly, devices, aliases, problems, description };
  if (options.isLive !== true) return new Stack(parts);
  const live = new LiveStack({
    ...parts,
    description: checked,
    registry,
    directory: options.directory ?? ".",
  });
  return new Stack(live.parts, live);
}

interface BuildingPlan {
  readonly description: StackDescription;
  readonly source: string;
  readonly options: OpenStackOptions;
  readonly registry: DriverRegistry;
  readonly assembly: Assembly;
  readonly isFound: boolean;
}

/** One stack being put together. */
class Building {
  readonly devices: DeviceRecord[] = [];
  readonly aliases = new Map<string, DeviceRecord[]>();
  readonly problems: Problem[] = [];
  readonly #description: StackDescription;
  readonly #source: string;
  readonly #options: OpenStackOptions;
  readonly #assembly: Assembly;
  readonly #registry: DriverRegistry;
  readonly #directory: string;
  readonly #isFound: boolean;
  readonly #keys: Uint8Array[] = [];
  /** By what tells a file from every other: the name of the device that it is. */
  readonly #files = new Map<string, string>();

  constructor({ description, source, options, registry, assembly, isFound }: BuildingPlan) {
    this.#isFound = isFound;
    this.#description = description;
    this.#source = source;
    this.#options = options;
    this.#assembly = assembly;
    this.#registry = registry;
    this.#directory = options.directory ?? ".";
  }

  async run(): Promise<void> {
    for (const given of this.#options.layers ?? []) {
      this.#add(this.#assembly.given(given), ["devices", given.name]);
    }
    const exported = this.#exports();
    const wanted =
      this.#options.only?.map((name) => exported.get(name) ?? { name, path: "the call" }) ?? null;
    const given = new Set(this.devices.map((one) => one.name));
    // All names are looked at before the first device is, also those nobody asked for.
    orderEntries(this.#description, this.#source, [...exported.values()], given);
    orderEntries(this.#description, this.#source, null, given);
    const order = orderEntries(this.#description, this.#source, wanted, given);
    const missing = new MissingDevices({
      description: this.#description,
      order,
      wanted: (wanted ?? [...exported.values()]).map(({ name }) => name),
      isPartial: this.#options.isPartial ?? false,
      driverOf: (key) => this.#driverOf(this.#description.devices[key]!),
    });
    for (const key of order) await this.#openEntry(key, missing);
    for (const [name, { path, name: target }] of exported) {
      const other = this.devices.find((one) => one.name === name);
      if (
        other !== undefined &&
        missing.failureOf(target) === null &&
        // What stands on a device may be shown by its name, as a layer that was put there while the device was in use.
        !withLowers(this.#lower({ path, name: target })).has(other)
      ) {
        throw descriptionError("CEV_AMBIGUOUS", this.#source, path, `another device has the name ${name}`, {
          hint: "give the export another name",
        });
      }
    }
    // An export of what its entry did not yield is found out now, not when it is used.
    if (wanted !== null) return;
    for (const reference of exported.values())
      if (missing.failureOf(reference.name) === null) this.#lower(reference);
  }

  /** Overwrites the keys that entries named: no driver asks for them any more. */
  wipeKeys(): void {
    for (const key of this.#keys) key.fill(0);
  }

  #exports(): Map<string, LowerReference> {
    return new Map(
      Object.entries(this.#description.exports ?? {}).map(([name, device]) => [
        name,
        { name: device, path: pathText(["exports", name]) },
      ]),
    );
  }

  #driverOf({ driver }: DeviceEntry): Promise<AnyDriver> {
    return resolveDriver(driver, this.#registry, this.#directory);
  }

  async #openEntry(key: string, missing: MissingDevices): Promise<void> {
    const entry = this.#description.devices[key]!;
    const keys = ["devices", key];
    const path = pathText(keys);
    try {
      const driver = await this.#driverOf(entry);
      const { lowers, lacking } = this.#lowersOf(key, entry, missing);
      const failure = lacking.length === 0 ? null : missing.failureOf(lacking[0]!);
      // Told already of the device below.
      if (failure !== null && (driver.canLackLowers !== true || lowers.length === 0)) {
        if (await missing.leaveOut(key, failure)) return;
        throw failure;
      }
      const plan: EntryPlan = {
        name: key,
        driver,
        options: await checkOptions(driver, optionsOf(entry, driver), this.#source, keys),
        lowers,
        missing: lacking,
        directory: this.#directory,
        isReadOnly: entry.readOnly === true,
        keySource: await readKeysOf(entry, this.#directory),
      };
      this.#keys.push(...plan.keySource.keys);
      const opened = await this.#openOrLeave(plan, missing);
      if (opened === null) return;
      if (plan.lowers.length === 0) await this.#refuseSameFile(key, opened);
      this.#name(key, plan, opened);
    } catch (error) {
      throw this.#placed(error, path);
    }
  }

  /** Null: it is not there, and what stands on it does without. */
  async #openOrLeave(plan: EntryPlan, missing: MissingDevices): Promise<readonly OpenedEntry[] | null> {
    const isPartial = this.#options.isPartial ?? false;
    try {
      return await this.#assembly.openEntry(plan, (problem) => this.problems.push(problem));
    } catch (error) {
      const isLeaf = plan.lowers.length === 0;
      if (this.#options.signal?.aborted === true || !isAway(error, isPartial) || !(isLeaf || isPartial))
        throw error;
      const told = this.#placed(error, pathText(["devices", plan.name])) as CevError;
      if (!(await missing.leaveOut(plan.name, told))) throw error;
      this.problems.push({
        severity: "error",
        code: told.code,
        message: formatError(told),
        device: plan.name,
      });
      return null;
    }
  }

  /** What was found in images has names of its own, and nobody wrote the description. */
  #placed(error: unknown, path: string): unknown {
    const isPlaced = this.#isFound && isCevError(error) && error.place.source !== undefined;
    return isPlaced ? error : placed(error, this.#source, path);
  }

  /** A file that is two devices at once would be written behind the back of what stands on the other. */
  async #refuseSameFile(key: string, opened: readonly OpenedEntry[]): Promise<void> {
    for (const { details } of opened) {
      const identity = typeof details["path"] === "string" ? await fileIdentity(details["path"]) : null;
      if (identity === null) continue;
      const other = this.#files.get(identity);
      if (other !== undefined && other !== key)
        throw new CevError("CEV_AMBIGUOUS", `this is the same file as device ${other}`, {
          source: details["path"] as string,
          hint: "name each file once",
        });
      this.#files.set(identity, key);
    }
  }

  /** The devices below, and the names of those that could not be opened. */
  #lowersOf(
    key: string,
    entry: DeviceEntry,
    missing: MissingDevices,
  ): { readonly lowers: readonly DeviceRecord[]; readonly lacking: readonly string[] } {
    const lowers: DeviceRecord[] = [];
    const lacking: string[] = [];
    for (const reference of lowersOf(key, entry)) {
      if (missing.failureOf(reference.name) !== null) {
        lacking.push(reference.name);
        continue;
      }
      const lower = this.#lower(reference);
      if (lowers.includes(lower)) {
        const message = `${lower.name} is named twice`;
        throw descriptionError("CEV_INVALID", this.#source, reference.path, message);
      }
      lowers.push(lower);
    }
    return { lowers, lacking };
  }

  /** One device takes the name of its entry; several, and those of a driver that yields children, stand below it. */
  #name(key: string, { driver, lowers }: EntryPlan, opened: readonly OpenedEntry[]): void {
    const isParent = key.endsWith("/*") || driver.yieldsChildren === true || opened.length !== 1;
    const prefix = key.endsWith("/*") ? key.slice(0, -2) : key;
    for (const [index, { name, layer, own, state, details, lowerIndexes }] of opened.entries()) {
      const childName = `${prefix}/${name === null ? String(index) : name.slice(name.lastIndexOf("/") + 1)}`;
      const record: DeviceRecord = {
        name: isParent ? childName : key,
        driver: driver.name,
        layer,
        ...(own === undefined ? {} : { own }),
        lowers: lowerIndexes?.map((lowerIndex) => lowers[lowerIndex]!) ?? lowers,
        state,
        details,
        content: null,
      };
      this.#add(record, ["devices", key]);
      if (!isParent) this.aliases.set(childName, [record]);
    }
  }

  #add(record: DeviceRecord, keys: readonly string[]): void {
    const other = this.devices.find((one) => one.name === record.name);
    if (other !== undefined) {
      throw descriptionError(
        "CEV_AMBIGUOUS",
        this.#source,
        pathText(keys),
        `the name ${record.name} is taken already`,
        { hint: "give one of the two entries another name" },
      );
    }
    this.devices.push(record);
  }

  #lower(reference: LowerReference): DeviceRecord {
    const { name, path } = reference;
    const device = this.devices.find((one) => one.name === name) ?? this.aliases.get(name)?.[0];
    if (device !== undefined) return device;
    const children = this.devices.filter((one) => one.name.startsWith(`${name}/`)).map((one) => one.name);
    const hint =
      children.length > 0
        ? `there are ${children.join(", ")}: name one of them`
        : "its entry yielded no such device";
    throw descriptionError("CEV_NOT_FOUND", this.#source, path, `there is no device ${name}`, { hint });
  }
}

/** A device and all that it stands on. */
function withLowers(device: DeviceRecord, found = new Set<DeviceRecord>()): ReadonlySet<DeviceRecord> {
  if (found.has(device)) return found;
  found.add(device);
  for (const lower of device.lowers) withLowers(lower, found);
  return found;
}
