import { CevError, JointLayer } from "@cev/core";
import type { Json, OpenedDevice, Problem } from "@cev/core";
import type { Assembly, EntryPlan } from "../assembly.ts";
import { optionsOf } from "../description.ts";
import type { DeviceEntry } from "../description.ts";
import { checkOptions } from "../driver-options.ts";
import { readKeysOf } from "../key-files.ts";
import type { AnyDriver, DriverRegistry } from "../registry.ts";
import type { DeviceRecord } from "../stack-device.ts";
import { resolveDriver } from "../third-party.ts";
import { within } from "./within.ts";
import type { WaitLimits } from "./within.ts";

/** What is to be put into a running stack. */
export interface ChangePlan {
  /** As in a stack file: a driver's name, a package, a path. */
  readonly driver: string;
  /** The driver's own, as in a stack file. */
  readonly options?: { readonly [key: string]: Json };
  /** What the device is to be called. */
  readonly name?: string;
  /** Allows drivers through which something else is read than what lies below. Default false. */
  readonly changesContent?: boolean;
}

/** Where drivers are looked for. */
export interface DriverPlace {
  readonly registry: DriverRegistry;
  readonly directory: string;
}

/** A plan that was checked. */
export interface CheckedChange {
  readonly driver: AnyDriver;
  readonly entry: DeviceEntry;
  readonly plan: EntryPlan;
}

/** The driver and its options, checked as if they stood in a stack file. `present`: the driver of what is there, if it is to go. */
export async function checkChange(
  { driver: driverName, options = {}, changesContent }: ChangePlan,
  name: string,
  lower: DeviceRecord | null,
  place: DriverPlace,
  present: readonly AnyDriver[] = [],
): Promise<CheckedChange> {
  const own = ["driver", "lower", "lowers", "members"].find((key) => Object.hasOwn(options, key));
  if (own !== undefined)
    throw new CevError("CEV_INVALID", `${own} is no option of a driver: where it stands is said already`, {
      hint: `leave ${own} out of the options`,
    });
  const entry = { driver: driverName, ...(lower === null ? {} : { lower: lower.name }), ...options };
  const driver = await resolveDriver(driverName, place.registry, place.directory);
  if (lower !== null) checkInsertable(driver);
  checkContent([driver, ...present], changesContent);
  return { driver, entry, plan: await planOf(name, entry, driver, lower, place) };
}

/** The plan of an entry that the stack was built from. */
export async function planOf(
  name: string,
  entry: DeviceEntry,
  driver: AnyDriver,
  lower: DeviceRecord | null,
  { directory }: DriverPlace,
): Promise<EntryPlan> {
  return {
    name,
    driver,
    options: await checkOptions(driver, optionsOf(entry, driver), "the call", ["options"]),
    lowers: lower === null ? [] : [lower],
    directory,
    isReadOnly: entry.readOnly === true,
    keySource: await readKeysOf(entry, directory),
  };
}

/** Refuses drivers that cannot stand in one place, over one device. */
function checkInsertable({ name, lowers, yieldsChildren }: AnyDriver): void {
  const isFitting = lowers.countMin <= 1 && lowers.countMax >= 1 && yieldsChildren !== true;
  if (!isFitting)
    throw new CevError("CEV_NOT_SUPPORTED", `${name} does not put one device on another`, {
      hint: "name a driver with exactly one lower",
    });
}

/** Refuses what would change what is read, unless that was asked for by name. */
export function checkContent(drivers: readonly AnyDriver[], changesContent: boolean | undefined): void {
  const other = drivers.find(({ isFilter }) => isFilter !== true);
  if (other === undefined || changesContent === true) return;
  throw new CevError(
    "CEV_NOT_SUPPORTED",
    `through ${other.name} something else may be read than what lies below, and a file system that is in use would be destroyed`,
    { hint: "if that is what you want, allow it: changesContent, on a command line --changes-content" },
  );
}

/** Who is told while a place is opened, and how long that may take. */
export interface Opening {
  readonly report: (problem: Problem) => void;
  readonly limits: WaitLimits;
}

/** Opens what a plan names over a joint. Throws where it is not one device, and where its driver takes too long. */
export async function openOne(
  assembly: Assembly,
  plan: EntryPlan,
  under: JointLayer | null,
  { report, limits }: Opening,
): Promise<OpenedDevice> {
  const lowers = plan.lowers.map((lower) => ({ ...lower, layer: under }));
  const { clock } = assembly.options.environment;
  try {
    // A driver looks and makes layers; it claims and writes nothing. What comes of it too late is not used.
    const opening = assembly.openBare({ ...plan, lowers }, report, limits.signal);
    const opened = await within(opening, limits, { clock, what: `${plan.driver.name} did not open it` });
    const [only] = opened;
    if (only === undefined || opened.length > 1)
      throw new CevError("CEV_NOT_SUPPORTED", `${plan.driver.name} made ${opened.length} devices of it`, {
        hint: "only what is one device can be put into a running stack",
      });
    return only;
  } finally {
    forgetKeys(plan);
  }
}

/** Wipes the keys that an entry named. */
export function forgetKeys({ keySource }: EntryPlan): void {
  for (const key of [...keySource.keys, ...keySource.keyFiles]) key.fill(0);
}

/** The joint on a device. Throws where the device is locked. */
export function jointOf({ name, layer }: DeviceRecord): JointLayer {
  if (layer instanceof JointLayer) return layer;
  throw new CevError("CEV_KEY_REQUIRED", `${name} is locked`, { hint: "open the stack with a key" });
}
