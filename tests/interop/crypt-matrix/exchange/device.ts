import { Device, environmentFrom } from "@cev/core";
import type { Environment, Layer } from "@cev/core";
import { cryptDriver } from "@cev/crypt";
import type { CryptCase } from "../cases.ts";
import type { Recipe } from "../recipe.ts";
import { GappedLayer } from "./gapped-layer.ts";

const SECTOR = 512;

export const environment: Environment = environmentFrom(globalThis);

/** The bytes of a device of the matrix. */
export interface CryptImages {
  readonly data: Uint8Array;
  /** Null: the header stands before the data. */
  readonly header: Uint8Array | null;
}

/** A device of the matrix, opened by cev. */
export interface OpenedCrypt extends AsyncDisposable {
  readonly device: Device;
  /** How many requests have changed the images. */
  readonly changeCount: () => number;
}

/** Unlocks the device by way of the driver, as a stack does. Throws as the driver does. */
export async function openCrypt(
  one: CryptCase,
  recipe: Recipe,
  images: CryptImages,
  how: { readonly isReadOnly: boolean },
): Promise<OpenedCrypt> {
  const data = new GappedLayer(images.data, recipe.gap);
  const layers = images.header === null ? [data] : [data, new GappedLayer(images.header, null)];
  const layer = await openByDriver(layers, {
    options: optionsOf(one, recipe),
    keys: [recipe.passphrase],
    areKeyFiles: one.hash === "key",
    isReadOnly: how.isReadOnly,
  });
  const device = await Device.open(layer, environment, { isReadOnly: how.isReadOnly });
  return {
    device,
    changeCount: () => layers.reduce((sum, { changeCount }) => sum + changeCount, 0),
    [Symbol.asyncDispose]: () => device.close(),
  };
}

interface DriverCall {
  readonly options: object;
  readonly keys: readonly Uint8Array[];
  /** Plain mode hashes passphrases, and takes key files as they are. */
  readonly areKeyFiles: boolean;
  readonly isReadOnly: boolean;
}

/** Calls the driver as a stack does; the layer is not opened yet. */
export async function openByDriver(layers: readonly Layer[], call: DriverCall): Promise<Layer> {
  const checked = await cryptDriver.options["~standard"].validate(call.options);
  if (checked.issues !== undefined)
    throw new Error(`the options are refused: ${checked.issues.map(({ message }) => message).join("; ")}`);
  const [opened] = await cryptDriver.open({
    environment,
    options: checked.value,
    lowers: layers.map((layer, index) => ({ name: index === 0 ? "data" : "header", layer })),
    keySource: { keys: call.keys, keyFiles: call.areKeyFiles ? call.keys : [] },
    isReadOnly: call.isReadOnly,
    canWriteDegraded: false,
    directory: ".",
    report: () => undefined,
  });
  return opened!.layer;
}

/** The options of the driver, as in a stack file. */
function optionsOf(one: CryptCase, recipe: Recipe): object {
  const { format, encryption, keySize, hash, sectorSize, hasLargeIvs } = one;
  if (format !== "plain") return {};
  return {
    plain: {
      cipher: encryption,
      keySize,
      ...(hash === "key" ? {} : { hash }),
      offset: recipe.dataOffset,
      size: recipe.plainSize,
      skip: recipe.skip * SECTOR,
      sectorSize,
      largeIvs: hasLargeIvs,
    },
  };
}
