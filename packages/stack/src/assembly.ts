import { CevError, JointLayer, closeTree, openTree } from "@cev/core";
import type {
  AbortSignalLike,
  Claimant,
  Environment,
  KeySource,
  Layer,
  NamedLayer,
  OpenContext,
  OpenWithRequest,
  OpenedDevice,
  Problem,
} from "@cev/core";
import { checkOpened } from "./check-opened.ts";
import { validate } from "./driver-options.ts";
import { openingError, ownError } from "./own-error.ts";
import { readOnly } from "./read-only-layer.ts";
import type { AnyDriver } from "./registry.ts";
import type { DeviceRecord } from "./stack-device.ts";

/** What holds for every device of a stack. */
export interface AssemblyOptions {
  readonly environment: Environment;
  /** Passphrases and key files, each to be tried on each lock, and where more come from. */
  readonly keySource: KeySource;
  readonly isReadOnly: boolean;
  readonly canWriteDegraded: boolean;
  readonly signal: AbortSignalLike | undefined;
  readonly onWork: ((what: string) => void) | undefined;
  /** Is told of what drivers report, whenever they do. */
  readonly onProblem: ((problem: Problem) => void) | undefined;
  /** Put around each device that a driver made; null: nothing. */
  readonly around: ((layer: Layer, name: string) => Layer) | null;
  /** Put a joint on each device. Default false. */
  readonly isLive?: boolean;
  /** Where a device is described, for errors: the stack file, and the place in it. By default its name. */
  readonly placeOf?: (name: string) => string;
  /** A driver by the name that a stack file gives it, looked for from a directory. Throws `CEV_NOT_FOUND`. */
  readonly resolve: (name: string, directory: string) => Promise<AnyDriver>;
}

/** Keys that one entry names. */
export interface EntryKeys {
  readonly keys: readonly Uint8Array[];
  /** Those of them that are the contents of key files. */
  readonly keyFiles: readonly Uint8Array[];
}

/** An entry that names none. */
export const NO_KEYS: EntryKeys = { keys: [], keyFiles: [] };

/** One call of a driver's `open`. */
export interface EntryPlan {
  /** For reports that name no device. */
  readonly name: string;
  readonly driver: AnyDriver;
  /** Checked already. */
  readonly options: unknown;
  readonly lowers: readonly DeviceRecord[];
  /** Names of lowers that could not be opened. */
  readonly missing?: readonly string[];
  readonly directory: string;
  readonly isReadOnly: boolean;
  /** Keys of this entry alone, tried before those of the stack. */
  readonly keySource: EntryKeys;
}

/** A device that an entry yielded. */
export interface OpenedEntry extends OpenedDevice {
  /** What `layer` is a joint over, in a live stack. */
  readonly own?: Layer;
}

/** Opens entries one after the other, remembers which layers it has open, and closes them again, uppermost first. */
export class Assembly {
  readonly options: AssemblyOptions;
  /** All joints of a stack claim in its name: uppers claim the joints themselves, and what is below a joint is its alone. */
  readonly claimant: Claimant = { name: "the stack" };
  readonly #opened: Layer[] = [];
  #lateProblems: Problem[] | null = null;
  #isBuilt = false;

  constructor(options: AssemblyOptions) {
    this.options = options;
  }

  /** Opens the lowers of an entry, then the entry. The layers it yields are not open yet. */
  async openEntry(plan: EntryPlan, report: (problem: Problem) => void): Promise<readonly OpenedEntry[]> {
    const opened = await this.openBare(plan, report);
    return this.options.isLive === true ? opened.map((one) => this.#joined(one)) : opened;
  }

  /** The same, without joints. `signal`: of a stack that is there already. */
  async openBare(
    plan: EntryPlan,
    report: (problem: Problem) => void,
    signal?: AbortSignalLike,
  ): Promise<readonly OpenedDevice[]> {
    const { driver } = plan;
    checkCount(plan);
    for (const lower of plan.lowers) await this.ensureOpen(lower);
    const isReadOnly =
      this.options.isReadOnly ||
      plan.isReadOnly ||
      (plan.lowers.length > 0 && plan.lowers.every(({ layer }) => layer?.support.write === "none"));
    const { around } = this.options;
    const opened = await this.#open(driver, {
      environment: this.options.environment,
      options: plan.options,
      lowers: plan.lowers.map(({ name, layer }) => ({ name, layer: layer! })),
      ...(plan.missing === undefined || plan.missing.length === 0 ? {} : { missing: plan.missing }),
      keySource: this.#keysFor(plan.keySource),
      isReadOnly,
      canWriteDegraded: this.options.canWriteDegraded,
      directory: plan.directory,
      signal: this.#isBuilt ? signal : this.options.signal,
      onWork: this.#isBuilt ? undefined : this.options.onWork,
      report: (problem) => {
        const told = problem.device === undefined ? { ...problem, device: plan.name } : problem;
        if (this.#lateProblems === null) report(told);
        else this.#lateProblems.push(told);
        this.options.onProblem?.(told);
      },
    });
    return opened.map((one) => {
      const layer = isReadOnly ? readOnly(one.layer) : one.layer;
      return { ...one, layer: around === null ? layer : around(layer, one.name ?? plan.name) };
    });
  }

  /** Everything has been opened: what drivers report from now on goes there, whoever listened when they opened. */
  reportTo(problems: Problem[]): void {
    this.#lateProblems = problems;
  }

  /** The stack is there: keys that were given have been wiped, nobody is asked for others, and nobody waits for the opening. */
  endBuilding(): void {
    this.#isBuilt = true;
  }

  /** A joint over a layer, in the name of this stack. */
  jointOver(layer: Layer): JointLayer {
    return new JointLayer(layer, { environment: this.options.environment, claimant: this.claimant });
  }

  #joined(opened: OpenedDevice): OpenedEntry {
    return { ...opened, layer: this.jointOver(opened.layer), own: opened.layer };
  }

  #keysFor({ keys, keyFiles }: EntryKeys): KeySource {
    if (this.#isBuilt) return { keys: [...keys, ...keyFiles], keyFiles };
    const { keySource } = this.options;
    return {
      ...keySource,
      keys: [...keys, ...keySource.keys],
      keyFiles: [...keyFiles, ...(keySource.keyFiles ?? [])],
    };
  }

  /** Calls a driver, which may call others in turn: with what was allowed to itself, and no secrets. */
  async #open(
    driver: AnyDriver,
    context: Omit<OpenContext<unknown>, "openWith">,
  ): Promise<readonly OpenedDevice[]> {
    const openWith = async (
      name: string,
      { options, lowers, report = context.report }: OpenWithRequest,
    ): Promise<readonly OpenedDevice[]> => {
      const other = await this.options.resolve(name, context.directory);
      checkCount({ name: driver.name, driver: other, lowers });
      const checked = await validate(other, options);
      if (checked.issues !== undefined)
        throw new CevError(
          "CEV_INVALID",
          `${driver.name} asked ${name} for what it does not know: ${checked.issues[0]?.message ?? ""}`,
          {
            hint: "install versions of the two drivers that fit together",
          },
        );
      return this.#open(other, {
        ...context,
        missing: [],
        options: checked.value,
        lowers,
        keySource: { keys: [] },
        report,
      });
    };
    try {
      const opened = await driver.open({ ...context, openWith });
      checkOpened(opened);
      return opened;
    } catch (error) {
      throw ownError(driver.name, error);
    }
  }

  /** A device that was handed in. */
  given({ name, layer }: NamedLayer): DeviceRecord {
    const own = this.options.isReadOnly ? readOnly(layer) : layer;
    const shown = this.options.isLive === true ? { layer: this.jointOver(own), own } : { layer: own };
    return { name, driver: null, ...shown, lowers: [], state: "given", details: {}, content: null };
  }

  /** Where a device is described, for errors. */
  placeOf(name: string): string {
    return this.options.placeOf?.(name) ?? name;
  }

  /** Opens a device's layer and all below it, once, until the assembly is closed. */
  async ensureOpen({ name, driver, layer }: DeviceRecord): Promise<Layer> {
    if (layer === null) {
      throw new CevError("CEV_KEY_REQUIRED", `${name} is locked`, {
        hint: "give a passphrase or a key file",
      });
    }
    if (!this.#opened.includes(layer)) {
      try {
        await openTree(layer);
      } catch (error) {
        throw openingError(driver, this.placeOf(name), error);
      }
      this.#opened.push(layer);
    }
    return layer;
  }

  /** Closes some layers, the last opened first. All are closed, also when one of them fails. */
  async closeLayers(layers: readonly Layer[]): Promise<void> {
    const errors: unknown[] = [];
    for (const layer of this.#opened.filter((one) => layers.includes(one)).reverse()) {
      this.#opened.splice(this.#opened.indexOf(layer), 1);
      await closeTree(layer).catch((error: unknown) => errors.push(error));
    }
    if (errors.length > 0) throw errors[0];
  }

  close(): Promise<void> {
    return this.closeLayers([...this.#opened]);
  }
}

function checkCount({
  name,
  driver,
  lowers,
}: {
  readonly name: string;
  readonly driver: AnyDriver;
  readonly lowers: readonly unknown[];
}): void {
  const { countMin, countMax } = driver.lowers;
  if (lowers.length >= countMin && lowers.length <= countMax) return;
  const wants =
    countMin === countMax
      ? String(countMin)
      : countMax === Infinity
        ? `${countMin} or more`
        : `${countMin} to ${countMax}`;
  throw new CevError(
    "CEV_INVALID",
    `${driver.name} stands on ${wants} ${wants === "1" ? "device" : "devices"}, and ${name} names ${lowers.length}`,
    { hint: "name the devices below as lower, lowers or members" },
  );
}
