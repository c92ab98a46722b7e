import type { Claim, Layer } from "@cev/core";
import { checkCostChoice, chooseCost, chooseDigestIterations } from "../key/cost.ts";
import type { CostTarget, KeyCost } from "../key/cost.ts";
import { wipe } from "../key/secret.ts";
import { headerDevice } from "../header/header-device.ts";
import { digestOf, newKeyslot, wrapKey } from "../header/keyslot.ts";
import type { NewKeyslot, NewLuksVolume } from "../header/new-volume.ts";
import { invalid, throwIfCancelled } from "./command.ts";
import type { LuksFormatOptions } from "./format-options.ts";
import { planFormat } from "./format-plan.ts";
import type { FormatPlan } from "./format-plan.ts";
import { randomUuid } from "./random-uuid.ts";
import { wipeFormer } from "./wipe-former.ts";

/**
 * Makes a LUKS device of `lower` (which is open); with `data`, a detached header on `lower`. Whatever `lower` held is lost. All
 * keys are derived before anything is written. Cut at any write, there is the former header, none, or the new one. Returns the
 * UUID. Throws `CEV_INVALID`, `CEV_NO_SPACE`, `CEV_UNKNOWN_FEATURE`, `CEV_BUSY` when somebody else writes the device,
 * `CEV_CANCELLED`; then nothing is written.
 */
export async function luksFormat(lower: Layer, options: LuksFormatOptions): Promise<string> {
  const { data, environment, signal } = options;
  const claims: Claim[] = [];
  let volumeKey: Uint8Array | null = null;
  try {
    for (const layer of data === undefined ? [lower] : [lower, data])
      claims.push(layer.claims.acquire({ name: "luksFormat" }, "write", layer.name));
    const { plan, cost } = prepare(lower, options);
    volumeKey = new Uint8Array(plan.keySize);
    if (options.volumeKey === undefined) environment.random(volumeKey);
    else volumeKey.set(options.volumeKey);
    const volume = await makeVolume(plan, cost, volumeKey, options);
    throwIfCancelled(signal);
    const device = headerDevice(lower, environment, options.name);
    const onWiped = (done: number): void =>
      options.onProgress?.({ step: "wipe", done, total: plan.headerLength });
    await wipeFormer(lower, device, plan, environment, onWiped);
    await plan.write(device, volume);
    return volume.uuid;
  } finally {
    wipe(volumeKey);
    for (const claim of claims) claim.release();
  }
}

/** All that can be refused is refused here. */
function prepare(
  lower: Layer,
  options: LuksFormatOptions,
): { readonly plan: FormatPlan; readonly cost: KeyCost | CostTarget } {
  const { data, keys, volumeKey } = options;
  const keySize = options.keySize ?? volumeKey?.length;
  const shape = keySize === undefined ? options : { ...options, keySize };
  const target = {
    headerSize: lower.limits.size,
    data: (data ?? lower).limits,
    dataName: data === undefined ? (options.name ?? lower.name) : data.name,
    isDetached: data !== undefined,
    keyCount: keys.length,
  };
  const plan = planFormat(shape, target);
  if (volumeKey !== undefined && volumeKey.length !== plan.keySize)
    throw invalid(`the volume key has ${volumeKey.length} bytes, not ${plan.keySize}`);
  const cost = options.cost ?? {};
  checkCostChoice(cost, plan.version);
  if (plan.version === 1 && "hash" in cost && cost.hash !== undefined && cost.hash !== plan.hash)
    throw invalid(`LUKS1 has one hash for all: ${plan.hash}`);
  return { plan, cost };
}

/** Derives everything, and has nothing written. */
async function makeVolume(
  plan: FormatPlan,
  choice: KeyCost | CostTarget,
  volumeKey: Uint8Array,
  options: LuksFormatOptions,
): Promise<NewLuksVolume> {
  const { environment, signal, onProgress } = options;
  const { version, hash, keySize, encryption, sectorSize, label, subsystem } = plan;
  let measured = 0;
  const onMeasured = (): void => onProgress?.({ step: "measure", done: ++measured, total: 0 });
  const context = { environment, version, hash, keySize, signal, onMeasured };
  const cost = await chooseCost(choice, context);
  const iterations = await chooseDigestIterations(choice, cost, context);
  const digest = await digestOf(volumeKey, { version, hash, iterations }, environment, signal);
  const keyslots: NewKeyslot[] = [];
  for (const [index, place] of plan.places.entries()) {
    const wish = {
      place,
      keySize,
      cost,
      splitHash: hash,
      encryption: plan.keyslotEncryption,
      encryptionKeySize: plan.keyslotKeySize,
    };
    const slot = newKeyslot(wish, environment);
    const area = await wrapKey(slot, options.keys[index]!, volumeKey, environment, signal);
    keyslots.push({ slot, area });
    onProgress?.({ step: "derive", done: index + 1, total: plan.places.length });
  }
  return {
    // In small letters, as everybody writes it and looks for it.
    uuid: options.uuid?.toLowerCase() ?? randomUuid(environment),
    label,
    subsystem,
    flags: [],
    keySize,
    segment: { offset: plan.dataOffset, size: null, ivTweak: 0, encryption, sectorSize },
    digest: { id: 0, keyslots: plan.places.map(({ id }) => id), segments: [0], ...digest },
    keyslots,
  };
}
