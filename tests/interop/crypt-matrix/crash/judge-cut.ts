import { isCevError } from "@cev/core";
import { luksAddKey, luksTestPassphrase } from "@cev/crypt";
import { environment } from "../exchange/device.ts";
import { GappedLayer } from "../exchange/gapped-layer.ts";
import { failureOf } from "../../matrix/failure-of.ts";
import { wholeCopies } from "./header-copies.ts";
import type { KeyName, Scene } from "./scenes.ts";
import { CONTENT, COST, KEYS, openDevice } from "./start.ts";

const NAMES = Object.keys(KEYS) as KeyName[];
/** What cev may say of a device that no passphrase opens. */
const SHUT = ["CEV_WRONG_KEY", "CEV_BAD_METADATA"];
const LATER_KEY = Buffer.from("added after the power cut");

/** What is wrong with a device after a power cut; empty: nothing. */
export interface JudgedCut {
  readonly failures: readonly string[];
  /** The passphrases that open it. */
  readonly opening: readonly KeyName[];
}

/** Looks at a device as a power cut left it. */
export async function judgeCut(scene: Scene, device: Uint8Array, hasCopies: boolean): Promise<JudgedCut> {
  const failures: string[] = [];
  const opening: KeyName[] = [];
  for (const name of NAMES) {
    try {
      if (await isOpenedBy(device, name)) opening.push(name);
    } catch (error) {
      failures.push(failureOf(error));
    }
  }
  const { kept, oneOf } = scene;
  for (const name of kept)
    if (!opening.includes(name)) failures.push(`the ${name} passphrase does not open it any more`);
  if (oneOf.length > 0 && !oneOf.some((name) => opening.includes(name)))
    failures.push(`neither the ${oneOf.join(" nor the ")} passphrase opens it`);
  if (hasCopies && wholeCopies(device) === 0) failures.push("both copies of the header are broken");
  try {
    if (kept.length > 0 && opening.includes(kept[0]!))
      failures.push(...(await workFailures(device, scene, hasCopies)));
  } catch (error) {
    failures.push(failureOf(error));
  }
  return { failures, opening };
}

/** True where the passphrase opens it; false where it does not, in a way that a user understands. */
export async function isOpenedBy(device: Uint8Array, name: KeyName): Promise<boolean> {
  const layer = new GappedLayer(device, null);
  await layer.open();
  try {
    await luksTestPassphrase(layer, { environment, keys: [KEYS[name]] });
    return true;
  } catch (error) {
    if (isCevError(error) && SHUT.includes(error.code)) return false;
    throw error;
  } finally {
    await layer.close();
    if (layer.changeCount > 0) throw new Error("testing a passphrase wrote to the device");
  }
}

/** The data is what it was; and the next operation succeeds, and leaves a header that is whole. */
async function workFailures(
  device: Uint8Array,
  { kept, repair }: Scene,
  hasCopies: boolean,
): Promise<string[]> {
  const failures: string[] = [];
  const key = KEYS[kept[0]!];
  const opened = await openDevice(device, key, true);
  const found = await opened.read(0, CONTENT.length);
  await opened.close();
  if (Buffer.compare(found, CONTENT) !== 0) failures.push("the data reads otherwise");
  const copy = device.slice();
  const layer = new GappedLayer(copy, null);
  await layer.open();
  await repair?.(layer);
  await luksAddKey(layer, { environment, keys: [key], newKey: LATER_KEY, cost: COST });
  await luksTestPassphrase(layer, { environment, keys: [LATER_KEY] });
  await layer.close();
  for (const name of kept)
    if (!(await isOpenedBy(copy, name)))
      failures.push(`after the next operation the ${name} passphrase is gone`);
  if (hasCopies && wholeCopies(copy) < 2)
    failures.push("the next operation leaves a broken copy of the header");
  return failures;
}
