import { Device, Op, isCevError } from "@cev/core";
import type { CevError, Io } from "@cev/core";
import { cryptDriver } from "@cev/crypt";
import { sha256 } from "../../matrix/hash.ts";
import { environment, openByDriver } from "../exchange/device.ts";
import { GappedLayer } from "../exchange/gapped-layer.ts";
import { failureOf } from "../../matrix/failure-of.ts";
import type { Damaged } from "./damage.ts";
import { PASSPHRASE } from "./headers.ts";
import type { GoodDevice } from "./headers.ts";

const MIB = 1024 * 1024;
/** Before a passphrase is asked for. */
const READ_MAX = 8 * MIB;
const TIME_MAX_MS = 5000;
/** What a header may ask for here: deriving a key takes milliseconds. */
const LIMITS = { kdfMemoryMax: 8 * MIB, kdfWorkMax: 64 * MIB, kdfIterationsMax: 20_000 };

/** What cev makes of a damaged header. */
export interface Outcome {
  readonly failures: readonly string[];
  /** Of the plaintext; null: not opened. */
  readonly sha256: string | null;
  /** Why it is not opened. */
  readonly reason: CevError | null;
}

/** An image that counts what is read. */
class CountingLayer extends GappedLayer {
  readLength = 0;

  override submit(io: Io): void {
    if (io.op === Op.read) this.readLength += io.length;
    super.submit(io);
  }
}

/** Looks at a device with a damaged header as `cev inspect` does, and opens it as a stack does. */
export async function judgeDamaged(good: GoodDevice, { title, image, mustOpen }: Damaged): Promise<Outcome> {
  const failures: string[] = [];
  const images = good.header === null ? [image] : [good.data, image];
  const before = images.map((bytes) => sha256(bytes));
  const layers = images.map((bytes) => new CountingLayer(bytes, null));
  const start = performance.now();
  let found: string | null = null;
  let reason: CevError | null = null;
  try {
    const carrier = layers.at(-1)!;
    await using device = await Device.open(carrier, environment, { isReadOnly: true });
    await cryptDriver.probe!(device);
  } catch (error) {
    failures.push(...bugOf(error));
  }
  const readLength = layers.reduce((sum, layer) => sum + layer.readLength, 0);
  if (readLength > READ_MAX) failures.push(`looking at it reads ${readLength} bytes`);
  try {
    const call = { options: LIMITS, keys: [PASSPHRASE], areKeyFiles: true, isReadOnly: true };
    const layer = await openByDriver(layers, call);
    await using device = await Device.open(layer, environment, { isReadOnly: true });
    found = sha256(await device.read(0, device.size));
  } catch (error) {
    failures.push(...bugOf(error));
    if (isCevError(error)) reason = error;
    if (mustOpen) failures.push(`it is not opened: ${failureOf(error)}`);
  }
  const took = performance.now() - start;
  if (took > TIME_MAX_MS) failures.push(`it took ${took.toFixed(0)} ms`);
  if (images.some((bytes, index) => sha256(bytes) !== before[index])) failures.push("it was written");
  return { failures: failures.map((failure) => `${title}: ${failure}`), sha256: found, reason };
}

/** Everything but an error of the world is a bug. */
function bugOf(error: unknown): string[] {
  return isCevError(error) && error.code !== "CEV_PROGRAM" ? [] : [failureOf(error)];
}
