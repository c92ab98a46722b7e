import { CevError, isCevError } from "@cev/core";
import type { Details, Finding, Json, OpenedDevice, Problem } from "@cev/core";
import { NO_KEYS } from "../assembly.ts";
import type { Assembly } from "../assembly.ts";
import { validate } from "../driver-options.ts";
import type { AnyDriver, DriverRegistry } from "../registry.ts";
import type { DeviceRecord } from "../stack-device.ts";
import { askDriver, askDrivers, problemOf } from "./ask-drivers.ts";
import { ExpectedEntries } from "./expected-entries.ts";
import type { ExpectedEntry } from "./expected-entries.ts";

/** One call of a driver's `open` on what was found. */
export interface FoundEntry {
  readonly driver: AnyDriver;
  readonly options: { readonly [key: string]: Json };
  readonly lowers: readonly DeviceRecord[];
  readonly devices: readonly DeviceRecord[];
  /** What the driver proposed; null where it proposed nothing. */
  readonly proposals: readonly (string | null)[];
  readonly groups: ReadonlySet<string>;
  readonly problems: readonly Problem[];
}

/** Devices that belong together and are still to be opened. */
interface Group {
  readonly driver: AnyDriver;
  readonly isAlone: boolean;
  readonly groups: Set<string>;
  readonly members: DeviceRecord[];
  /** It was known beforehand. */
  readonly expected?: ExpectedEntry;
}

/** How to look. */
export interface DiscoverySettings {
  readonly bounds: DiscoveryBounds;
  readonly directory: string;
  /** By names of drivers: options for all that such a driver opens, checked already. */
  readonly driverOptions: Readonly<Record<string, FoundEntry["options"]>>;
}

/** How far to look. */
export interface DiscoveryBounds {
  /** Layers upon layers. */
  readonly depthMax: number;
  readonly devicesMax: number;
}

/**
 * Looks at devices, opens what they carry, and looks at what that yields, until nothing new is found. What stands alone is
 * opened first, then groups: by then all their members have likely been seen. A member that shows up later has its group
 * opened anew.
 */
export class Discovery {
  readonly devices: DeviceRecord[] = [];
  readonly entries: FoundEntry[] = [];
  readonly problems: Problem[] = [];
  readonly #assembly: Assembly;
  readonly #drivers: DriverRegistry;
  readonly #bounds: DiscoveryBounds;
  readonly #directory: string;
  readonly #driverOptions: DiscoverySettings["driverOptions"];
  readonly #unseen: DeviceRecord[] = [];
  readonly #waiting: Group[] = [];
  readonly #depths = new Map<DeviceRecord, number>();
  readonly #expected = new ExpectedEntries();

  constructor(
    assembly: Assembly,
    drivers: DriverRegistry,
    { bounds, directory, driverOptions }: DiscoverySettings,
  ) {
    this.#assembly = assembly;
    this.#drivers = drivers;
    this.#bounds = bounds;
    this.#directory = directory;
    this.#driverOptions = driverOptions;
  }

  /** Adds a device to begin with. */
  add(record: DeviceRecord): void {
    this.devices.push(record);
    this.#unseen.push(record);
    this.#depths.set(record, 0);
  }

  /** Before it runs: what certain devices are for. */
  expect(entry: ExpectedEntry): void {
    this.#expected.add(entry);
  }

  /** After it ran. Throws `CEV_NOT_FOUND` when a device that is known to be for something was never met. */
  checkKnown(): void {
    this.#expected.check(this.devices);
  }

  async run(): Promise<void> {
    for (;;) {
      const record = this.#unseen.shift();
      if (record !== undefined) {
        await this.#look(record);
        continue;
      }
      const group = this.#nextGroup();
      if (group === null) return;
      await this.#open(group);
    }
  }

  async #look(record: DeviceRecord): Promise<void> {
    if (record.layer === null) return;
    const expected = this.#expected.entryOf(record);
    if (expected !== null) return this.#takeExpected(record, expected);
    let answer;
    try {
      await this.#assembly.ensureOpen(record);
      answer = await askDrivers(record, this.#drivers, this.#assembly.options.environment);
    } catch (error) {
      this.problems.push(problemOf(error, record.name));
      return;
    }
    this.problems.push(...answer.problems);
    if (answer.finding === null) return;
    const { driver, finding } = answer.finding;
    record.content = { driver: driver.name, summary: finding.summary, details: finding.details };
    if (finding.closed === undefined) await this.#file(record, driver, finding);
    else this.problems.push(finding.closed);
  }

  /** What is known beforehand is not asked for; what its driver says of it is shown all the same. */
  async #takeExpected(record: DeviceRecord, expected: ExpectedEntry): Promise<void> {
    const { driver } = expected;
    const finding = await this.#assembly
      .ensureOpen(record)
      .then(() => askDriver(record, driver, this.#assembly.options.environment))
      .catch(() => null);
    const { summary, details } = finding ?? { summary: "as given", details: {} };
    record.content = { driver: driver.name, summary, details };
    const members = this.#expected.take(record, expected);
    if (members === null) return;
    this.#waiting.push({ driver, isAlone: true, groups: new Set(), members: [...members], expected });
  }

  /** Puts a finding to those it belongs with. */
  async #file(record: DeviceRecord, driver: AnyDriver, finding: Finding): Promise<void> {
    if (finding.group === null) {
      this.#waiting.push({ driver, isAlone: true, groups: new Set(), members: [record] });
      return;
    }
    const groups = new Set([finding.group, ...(finding.members ?? [])]);
    const belongs = (one: { readonly driver: AnyDriver; readonly groups: ReadonlySet<string> }): boolean =>
      one.driver === driver && [...one.groups].some((name) => groups.has(name));
    const members: DeviceRecord[] = [];
    // What stands on a group and says that it belongs to it is a copy inside it, and opened by itself.
    const isReopened = (one: FoundEntry): boolean => belongs(one) && !standsOn(record, one);
    for (
      let opened = this.entries.find(isReopened);
      opened !== undefined;
      opened = this.entries.find(isReopened)
    ) {
      members.push(...opened.lowers);
      opened.groups.forEach((name) => groups.add(name));
      await this.#takeBack(opened);
    }
    for (const waiting of this.#waiting.filter(belongs)) {
      members.push(...waiting.members);
      waiting.groups.forEach((name) => groups.add(name));
      this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
    }
    this.#waiting.push({ driver, isAlone: false, groups, members: [...members, record] });
  }

  /** Closes what an entry yielded, and all that stands on it, as if it had not been opened. */
  async #takeBack(entry: FoundEntry): Promise<void> {
    const gone = new Set<DeviceRecord>(entry.devices);
    for (const record of this.devices) if (record.lowers.some((lower) => gone.has(lower))) gone.add(record);
    const isGone = (record: DeviceRecord): boolean => gone.has(record);
    for (const other of this.entries.filter((one) => one === entry || one.lowers.some(isGone))) {
      remove(this.entries, (one) => one === other);
      remove(this.problems, (one) => other.problems.includes(one));
    }
    remove(this.devices, isGone);
    remove(this.#unseen, isGone);
    // Groups that lose a member this way wait for the others, which are seen again.
    for (const group of this.#waiting) remove(group.members, isGone);
    remove(this.#waiting, (group) => group.members.length === 0);
    await this.#assembly.closeLayers([...gone].flatMap(({ layer }) => (layer === null ? [] : [layer])));
  }

  #nextGroup(): Group | null {
    const order = [...this.#drivers];
    const rank = (group: Group): number => (group.isAlone ? -1 : order.indexOf(group.driver));
    const [next] = this.#waiting.toSorted((a, b) => rank(a) - rank(b));
    if (next === undefined) return null;
    this.#waiting.splice(this.#waiting.indexOf(next), 1);
    return next;
  }

  async #open({ driver, members, groups, expected }: Group): Promise<void> {
    const [first] = members;
    const depth = 1 + Math.max(...members.map((one) => this.#depths.get(one) ?? 0));
    const problems: Problem[] = [];
    const options = expected?.options ?? this.#driverOptions[driver.name] ?? {};
    let opened: readonly OpenedDevice[] = [];
    let failure: unknown = null;
    try {
      this.#checkBounds(depth, first!);
      const checked = await validate(driver, options);
      if (checked.issues !== undefined) {
        throw new CevError(
          "CEV_INVALID",
          `${driver.name} needs options: ${checked.issues[0]?.message ?? ""}`,
          {
            hint: "describe this device in a stack file",
          },
        );
      }
      opened = await this.#assembly.openEntry(
        {
          name: first!.name,
          driver,
          options: checked.value,
          lowers: members,
          directory: this.#directory,
          isReadOnly: true,
          keySource: NO_KEYS,
        },
        (problem) => problems.push(problem),
      );
    } catch (error) {
      if (this.#assembly.options.signal?.aborted === true) throw error;
      failure = error;
      problems.push(problemOf(error, first!.name));
    }
    const devices =
      failure === null
        ? opened.map((one) => recordOf(one, driver, members))
        : lockedOf(failure, driver, members);
    for (const record of devices) {
      this.devices.push(record);
      this.#depths.set(record, depth);
      this.#unseen.push(record);
    }
    if (devices.length > 0 && devices[0]!.state === "locked" && isNoKey(failure)) {
      problems.splice(-1, 1, { ...problems.at(-1)!, severity: "warning" });
    }
    this.problems.push(...problems);
    const proposals = failure === null ? opened.map((one) => one.name) : devices.map((one) => one.name);
    this.entries.push({ driver, options, lowers: members, devices, proposals, groups, problems });
  }

  #checkBounds(depth: number, record: DeviceRecord): void {
    const { depthMax, devicesMax } = this.#bounds;
    if (depth > depthMax || this.devices.length >= devicesMax) {
      const what = depth > depthMax ? `${depthMax} layers upon layers` : `${devicesMax} devices`;
      throw new CevError("CEV_INVALID", `more than ${what}: the search ends here`, {
        source: record.name,
        hint: "describe the stack in a file to go further",
      });
    }
  }
}

function recordOf(
  { name, layer, state, details, lowerIndexes }: OpenedDevice,
  driver: AnyDriver,
  lowers: readonly DeviceRecord[],
): DeviceRecord {
  return {
    name: name ?? `${lowers[0]!.name}/${shortName(driver)}`,
    driver: driver.name,
    layer,
    lowers: lowerIndexes?.map((index) => lowers[index]!) ?? lowers,
    state,
    details,
    content: null,
  };
}

/** A lock without its key is listed under the name it would have. */
function lockedOf(
  failure: unknown,
  driver: AnyDriver,
  lowers: readonly DeviceRecord[],
): readonly DeviceRecord[] {
  if (!isCevError(failure) || (failure.code !== "CEV_KEY_REQUIRED" && failure.code !== "CEV_WRONG_KEY"))
    return [];
  // A detached header is on another of its devices than the first.
  const contents = lowers.map(({ content }) => content?.details ?? {});
  const details: Details = contents.find((one) => typeof one["uuid"] === "string") ?? contents[0]!;
  const uuid = details["uuid"];
  const name = typeof uuid === "string" ? `luks/${uuid}` : `${lowers[0]!.name}/${shortName(driver)}`;
  return [{ name, driver: driver.name, layer: null, lowers, state: "locked", details, content: null }];
}

const isNoKey = (failure: unknown): boolean => isCevError(failure) && failure.code === "CEV_KEY_REQUIRED";
const shortName = (driver: AnyDriver): string => driver.name.slice(driver.name.lastIndexOf("/") + 1);

function standsOn(record: DeviceRecord, entry: FoundEntry): boolean {
  return entry.devices.includes(record) || record.lowers.some((lower) => standsOn(lower, entry));
}

function remove<T>(list: T[], isGone: (item: T) => boolean): void {
  const kept = list.filter((item) => !isGone(item));
  list.splice(0, list.length, ...kept);
}
