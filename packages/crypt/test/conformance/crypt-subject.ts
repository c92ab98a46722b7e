import { FULL_SUPPORT, READ_ONLY_SUPPORT } from "@cev/core";
import type { KeySource, KeyVault, Layer, OpenContext, Support } from "@cev/core";
import { reopenWith } from "@cev/test-kit";
import type { Manifest, TestBench } from "@cev/test-kit";
import { cryptDriver } from "../../src/index.ts";

/** The key of all devices here. */
export const SECRET: Uint8Array = new TextEncoder().encode("conformance");

/** How a device is opened. */
export interface OpenSettings {
  /** As in a stack file. */
  readonly options: Readonly<Record<string, unknown>>;
  readonly isReadOnly?: boolean;
  readonly vault?: KeyVault;
}

/** What a device offers that is opened so. */
export function manifestFor(
  settings: OpenSettings,
  { encryption, sectorSize }: { readonly encryption: string; readonly sectorSize: number },
): Manifest {
  const { options, isReadOnly = false } = settings;
  const support: Support = {
    ...FULL_SUPPORT,
    discard: options["allowDiscards"] === true ? "native" : "none",
    writeZeroes: "none",
  };
  return {
    support: isReadOnly ? READ_ONLY_SUPPORT : support,
    // Where the blocks of a sector are chained, one that is written in part decrypts to neither what it was nor what it was to be.
    ...(encryption.includes("-cbc-") ? { atomicLength: sectorSize } : {}),
    reopen: reopenWith(cryptDriver, { isReadOnly, keySource: keySourceOf(settings) }),
  };
}

/** Opens it with its driver. */
export async function openCrypt(
  bench: TestBench,
  lowers: readonly Layer[],
  settings: OpenSettings,
): Promise<Layer> {
  const { options, isReadOnly = false } = settings;
  const checked = await cryptDriver.options["~standard"].validate(options);
  if (checked.issues !== undefined) throw new Error(checked.issues[0]!.message);
  const context: OpenContext<typeof checked.value> = {
    environment: bench.environment,
    options: checked.value,
    lowers: lowers.map((layer, index) => ({ name: `disk${index}`, layer })),
    keySource: keySourceOf(settings),
    isReadOnly,
    canWriteDegraded: false,
    directory: ".",
    report: () => undefined,
  };
  const [opened] = await cryptDriver.open(context);
  return opened!.layer;
}

function keySourceOf({ vault }: OpenSettings): KeySource {
  return { keys: [SECRET], ...(vault === undefined ? {} : { vault }) };
}

/** What was derived once is derived no more: the suite opens a device some hundred times. */
export class TestVault implements KeyVault {
  readonly #keys = new Map<string, Uint8Array>();

  recall(name: string): Uint8Array | null {
    const key = this.#keys.get(name);
    return key === undefined ? null : Uint8Array.from(key);
  }

  keep(name: string, key: Uint8Array): void {
    this.#keys.set(name, Uint8Array.from(key));
  }
}
