import { CevError, isCevError } from "@cev/core";
import type { Json, KeyVault, NamedLayer, Problem } from "@cev/core";
import { Assembly, NO_KEYS } from "./assembly.ts";
import type { DeviceEntry, StackDescription } from "./description.ts";
import { checkOptions } from "./driver-options.ts";
import { MemoryVault } from "./key-vault.ts";
import { isAway } from "./missing-devices.ts";
import { buildStack, keySourceOf } from "./open-stack.ts";
import type { OpenStackOptions } from "./open-stack.ts";
import { Discovery } from "./probe/discovery.ts";
import { problemOf } from "./probe/ask-drivers.ts";
import type { ExpectedEntry } from "./probe/expected-entries.ts";
import { imageSources, wholeSource } from "./probe/image-sources.ts";
import type { ImageSource } from "./probe/image-sources.ts";
import { nameEntries } from "./probe/naming.ts";
import { DriverRegistry } from "./registry.ts";
import { Stack } from "./stack.ts";
import { resolveDriver } from "./third-party.ts";

/** How unknown images are opened. */
export interface OpenImagesOptions extends Omit<OpenStackOptions, "source" | "layers"> {
  /** Default true: unknown images are not written unless that is asked for. */
  readonly isReadOnly?: boolean;
  /** The driver that opens image files; URIs find theirs by themselves; one of `drivers`. Default "@cev/hw-file". */
  readonly imageDriver?: string;
  /** Layers upon layers. Default 16. */
  readonly depthMax?: number;
  /** Default 1024. */
  readonly devicesMax?: number;
  /** What cannot be found out by looking, such as a lock whose header is elsewhere. */
  readonly known?: readonly KnownEntry[];
  /** By names of drivers: options for all that such a driver opens here. Those of `known` are apart. */
  readonly driverOptions?: Readonly<Record<string, { readonly [key: string]: Json }>>;
  /** What is said to whoever is refused because one of several images cannot be opened. */
  readonly awayHint?: string;
  /** Paths of images that are not written in any case. */
  readonly readOnlyImages?: readonly string[];
}

/** A driver that opens certain devices, whatever they seem to carry. */
export interface KnownEntry {
  readonly driver: string;
  /** Names of devices, or paths of images, in the order that the driver expects. */
  readonly lowers: readonly string[];
  readonly options?: { readonly [key: string]: Json };
}

/**
 * Finds out what is in images (paths of files, URIs that a driver knows, or layers with a name) and opens it. What is found and cannot
 * be opened is a problem of the stack; the rest goes on. So is one of several images that is not there, with `canWriteDegraded` or
 * `isPartial`; without, it is refused. To write, the images are looked at read-only first; only then what `only` names (all, by
 * default) is opened for writing, and nothing beside it.
 */
export async function openImages(
  sources: readonly (string | NamedLayer)[],
  options: OpenImagesOptions,
): Promise<Stack> {
  // Devices may be opened three times before they are used; a key is derived, and a person asked, once.
  using vault = new MemoryVault();
  const found = await discoverUnlocked(sources, options, vault);
  if (options.isReadOnly ?? true) return found;
  // Where there is nothing that could be written, what is locked is listed all the same.
  if (options.only === undefined && found.uppermost.length === 0) return found;
  const { problems } = found;
  let only: string[];
  try {
    only = (options.only ?? found.uppermost.map((one) => one.name)).map((name) => found.find(name).name);
  } catch (error) {
    throw withReasons(error, problems);
  } finally {
    await found.close();
  }
  const layers = sources.filter((one) => typeof one !== "string");
  const building = { ...options, only, source: "the images", layers };
  const stack = await buildStack(found.describe(), building, { isFound: true, vault });
  stack.addEarlierProblems(problems);
  return stack;
}

const REASONS_MAX = 3;

/** A device that is not there, and what of that which was found could not be opened: nobody else will tell that. */
function withReasons(error: unknown, problems: readonly Problem[]): unknown {
  const reasons = problems.filter(({ severity }) => severity === "error").slice(0, REASONS_MAX);
  if (!isCevError(error) || error.code !== "CEV_NOT_FOUND" || reasons.length === 0) return error;
  const hint = [error.place.hint ?? "", ...reasons.map(({ message }) => message)].join("; ");
  return new CevError(error.code, error.message, { ...error.place, hint });
}

/** Asks for keys only where something that is wanted cannot be had without. */
async function discoverUnlocked(
  sources: readonly (string | NamedLayer)[],
  options: OpenImagesOptions,
  vault: KeyVault,
): Promise<Stack> {
  const { ask, ...silent } = options;
  const found = await discover(sources, silent, vault);
  if (ask === undefined || !isLockedOut(found, options.only)) return found;
  await found.close();
  return discover(sources, options, vault);
}

/** Something is locked, and what is wanted is either that or not to be seen. */
function isLockedOut(found: Stack, wanted: readonly string[] | undefined): boolean {
  // A lock that none of several keys opens is no reason to ask for another one.
  if (!found.problems.some(({ code }) => code === "CEV_KEY_REQUIRED")) return false;
  return wanted === undefined || wanted.some((name) => !isThere(found, name));
}

function isThere(found: Stack, name: string): boolean {
  try {
    return found.find(name).layer !== null;
  } catch (error) {
    return !isCevError(error) || error.code !== "CEV_NOT_FOUND";
  }
}

async function discover(
  sources: readonly (string | NamedLayer)[],
  options: OpenImagesOptions,
  vault: KeyVault,
): Promise<Stack> {
  const drivers =
    options.drivers instanceof DriverRegistry ? options.drivers : new DriverRegistry(options.drivers);
  const directory = options.directory ?? ".";
  const driverOptions = options.driverOptions ?? {};
  await checkDriverOptions(driverOptions, drivers);
  const assembly = new Assembly({
    environment: options.environment,
    keySource: keySourceOf(options, vault),
    signal: options.signal,
    onWork: options.onWork,
    onProblem: options.onProblem,
    isReadOnly: true,
    canWriteDegraded: false,
    around: options.around ?? null,
    resolve: (name, from) => resolveDriver(name, drivers, from),
  });
  const bounds = { depthMax: options.depthMax ?? 16, devicesMax: options.devicesMax ?? 1024 };
  const discovery = new Discovery(assembly, drivers, { bounds, directory, driverOptions });
  try {
    const images = await addSources(sources, drivers, assembly, discovery, options);
    await discovery.run();
    discovery.checkKnown();
    const { devices, aliases, problems } = nameEntries(
      discovery.entries,
      discovery.devices.filter((one) => one.lowers.length === 0),
    );
    const description: StackDescription = { devices: { ...images, ...devices } };
    const told = [...discovery.problems, ...problems, ...unknownImages(discovery)];
    assembly.reportTo(told);
    return new Stack({ assembly, devices: discovery.devices, aliases, description, problems: told });
  } catch (error) {
    await assembly.close().catch(() => undefined);
    throw error;
  }
}

/** Now, and not as a problem of each device that is found. */
async function checkDriverOptions(
  driverOptions: NonNullable<OpenImagesOptions["driverOptions"]>,
  drivers: DriverRegistry,
): Promise<void> {
  for (const [name, given] of Object.entries(driverOptions)) {
    const driver = drivers.get(name);
    if (driver === undefined)
      throw new CevError("CEV_NOT_FOUND", `there are options for ${name}, which is not among the drivers`);
    await checkOptions(driver, given, "the call", [name]);
  }
}

async function addSources(
  sources: readonly (string | NamedLayer)[],
  drivers: DriverRegistry,
  assembly: Assembly,
  discovery: Discovery,
  options: OpenImagesOptions,
): Promise<StackDescription["devices"]> {
  const entries: Record<string, DeviceEntry> = {};
  const directory = options.directory ?? ".";
  for (const given of sources.filter((one) => typeof one !== "string")) discovery.add(assembly.given(given));
  const named = await imageSources(
    sources.filter((one) => typeof one === "string"),
    { drivers, directory, imageDriver: options.imageDriver ?? "@cev/hw-file" },
  );
  for (const entry of options.known ?? [])
    discovery.expect(await knownEntry(entry, named, { drivers, directory }));
  const away: Problem[] = [];
  let firstError: unknown = null;
  const readOnly = new Set((options.readOnlyImages ?? []).map((path) => wholeSource(path, directory)));
  for (const image of named) {
    const { name, source, driver } = image;
    const checked = await checkOptions(driver, image.options, "the images", [name]);
    const plan = {
      name,
      driver,
      options: checked,
      lowers: [],
      directory,
      isReadOnly: true,
      keySource: NO_KEYS,
    };
    try {
      const [opened] = await assembly.openEntry(plan, (problem) => discovery.problems.push(problem));
      const { layer, state, details } = opened!;
      discovery.add({ name, driver: driver.name, layer, lowers: [], state, details, content: null });
    } catch (error) {
      const told = image.isUri ? error : namedError(error, source);
      away.push(awayImage(told, name, named.length, options));
      firstError ??= told;
      continue;
    }
    entries[name] = {
      driver: driver.name,
      ...image.options,
      ...(readOnly.has(source) ? { readOnly: true } : {}),
    };
  }
  if (away.length > 0 && away.length === named.length) throw firstError;
  discovery.problems.push(...away);
  return entries;
}

/** One of several images that is not there, where the rest may be opened without it. Throws where not. */
function awayImage(
  error: unknown,
  name: string,
  imageCount: number,
  { isPartial = false, canWriteDegraded = false, awayHint, signal }: OpenImagesOptions,
): Problem {
  if (imageCount === 1 || signal?.aborted === true || !isAway(error, isPartial)) throw error;
  if (isPartial || canWriteDegraded) return problemOf(error, name);
  if (awayHint === undefined) throw error;
  const { code, message, place } = error;
  const hint = place.hint === undefined ? awayHint : `${place.hint}; ${awayHint}`;
  throw new CevError(code, message, { ...place, hint, cause: error });
}

/** Finds the driver, checks its options, and names images by their names instead of their paths. */
async function knownEntry(
  { driver: driverName, lowers, options = {} }: KnownEntry,
  images: readonly ImageSource[],
  { drivers, directory }: { readonly drivers: DriverRegistry; readonly directory: string },
): Promise<ExpectedEntry> {
  const driver = await resolveDriver(driverName, drivers, directory);
  const checked = await checkOptions(driver, options, "the call", [driverName]);
  const nameOf = (lower: string): string =>
    images.find(({ source }) => source === wholeSource(lower, directory))?.name ?? lower;
  const names = lowers.map(nameOf);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined)
    throw new CevError("CEV_INVALID", `${driverName} is to stand on ${twice} twice`, {
      hint: "name different devices",
    });
  return { driver, options, checked, lowers: names };
}

/** Names the image; what could be made of a missing file in a stack file is no advice here. */
function namedError(error: unknown, path: string): unknown {
  if (!isCevError(error)) return error;
  const { code, message, place } = error;
  const isNamed = (place.source ?? message).includes(path);
  if (code === "CEV_NOT_FOUND") {
    return new CevError(code, message, {
      ...place,
      source: place.source ?? path,
      hint: "check the path",
      cause: error,
    });
  }
  return isNamed ? error : new CevError(code, message, { ...place, source: path, cause: error });
}

/** An image in which nothing was recognized was given by mistake, or is damaged: it is not passed over in silence. */
function unknownImages({ devices, problems }: Discovery): Problem[] {
  const isNamed = (name: string): boolean =>
    problems.some((one) => one.device === name && one.severity === "error");
  return devices
    .filter((one) => one.lowers.length === 0 && one.content === null && !isNamed(one.name))
    .map(({ name }) => ({
      severity: "error",
      code: "CEV_NOT_FOUND",
      message: `${name}: nothing known was found in it: no partition table, RAID member, lock or physical volume; where none is meant to be, serve or copy it as it is; else, is it the right file, and whole?`,
      device: name,
    }));
}
