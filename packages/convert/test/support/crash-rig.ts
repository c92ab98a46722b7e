import { Device, Op, isCevError } from "@cev/core";
import type { Environment, Support } from "@cev/core";
import { CutRecorder, FaultLayer, PowerCutLayer, Random } from "@cev/test-kit";
import type { CutState, DurabilityModel } from "@cev/test-kit";
import { CompressLayer, findSuperblock } from "../../src/index.ts";

export const BLOCK = 512;

/** What a disk may hold after a power cut, and what is to be found on it. */
export type Moment = CutState<DurabilityModel>;

/** Settings of a run. */
export interface RunOptions {
  readonly image: Uint8Array;
  /** What the device may show: what it does show counts from then on. */
  readonly model: DurabilityModel;
  readonly seed: number;
  readonly roundCount: number;
  readonly support?: Partial<Support>;
  /** Of each request below that changes something. Default 0. */
  readonly faultChance?: number;
}

/** Opens the image, checks what it holds, and works on it. Returns every moment at which the power may have gone. */
export async function work(environment: Environment, options: RunOptions): Promise<readonly Moment[]> {
  const { image, model, seed, roundCount, support = {}, faultChance = 0 } = options;
  const random = new Random(seed);
  const disk = new PowerCutLayer(environment, {
    ...{ size: image.length, contents: image, completion: "later", support },
  });
  const lower = new FaultLayer(disk, environment, { seed });
  const recorder = new CutRecorder([disk], { random: new Random(seed + 1), context: () => model.copy() });
  const found = await findSuperblock(lower, environment);
  if (typeof found === "string") throw new Error(`the superblock is gone: ${found}`);
  const { superblock } = found;
  const layer = new CompressLayer(lower, { superblock, environment, discards: true });
  const device = await Device.open(layer, environment, { blockSize: BLOCK });
  const contents = await device.read(0, device.size);
  expectRight(model, contents, 0, "after it was opened");
  model.learn(contents);
  if (faultChance > 0)
    for (const op of [Op.write, Op.flush, Op.discard] as const)
      for (const kind of ["error", "errorAfter"] as const)
        lower.add({ op, probability: faultChance, fault: { kind, code: "CEV_IO" } });
  const run: Run = { device, model, random, chunkSize: superblock.chunkSize, canFail: faultChance > 0 };
  for (let round = 0; round < roundCount; round++) await doRound(run);
  recorder.record();
  await isDone(run, device.close());
  recorder.record();
  recorder.stop();
  return recorder.states;
}

interface Run {
  readonly device: Device;
  readonly model: DurabilityModel;
  readonly random: Random;
  readonly chunkSize: number;
  readonly canFail: boolean;
}

/** Some requests at once, which do not overlap; often near one another. */
async function doRound(run: Run): Promise<void> {
  const { device, random } = run;
  const requests: Promise<void>[] = [];
  let at = random.below(device.size / BLOCK);
  for (let count = random.between(1, 6); count > 0 && at < device.size / BLOCK; count--) {
    const blocks = Math.min(random.between(1, random.chance(0.3) ? 20 : 4), device.size / BLOCK - at);
    requests.push(change(run, at * BLOCK, blocks * BLOCK));
    at += blocks + (random.chance(0.5) ? 0 : random.below(8));
    if (random.chance(0.15)) requests.push(flush(run));
  }
  await Promise.all(requests);
}

async function flush(run: Run): Promise<void> {
  const flushed = run.model.flushBegan();
  if (await isDone(run, run.device.flush())) flushed();
}

async function change(run: Run, offset: number, length: number): Promise<void> {
  const { device, model, random, chunkSize } = run;
  const kind = random.below(10);
  const hasFua = kind === 0;
  // Half of what is written can be compressed.
  const data =
    kind < 6 ? random.bytes(length) : new Uint8Array(length).fill(kind < 8 ? random.below(256) : 0);
  const write = model.began(offset, data);
  const isWhole = offset % chunkSize === 0 && length % chunkSize === 0;
  const request =
    kind < 8
      ? device.write(offset, data, { fua: hasFua })
      : kind === 8 && isWhole
        ? device.discard(offset, length)
        : device.writeZeroes(offset, length);
  if (await isDone(run, request)) return model.completed(write, hasFua);
  // Old or new; and what is read now is what counts.
  const seen = await device.read(offset, length);
  expectRight(model, seen, offset, "after a change that failed");
  model.completed(model.began(offset, seen), false);
}

function expectRight(model: DurabilityModel, seen: Uint8Array, offset: number, when: string): void {
  const wrong = model.firstWrong(seen, offset);
  if (wrong >= 0)
    throw new Error(`${when}, what is at ${wrong} is neither what was durable nor anything written since`);
}

/** False: it failed, because something below was made to. */
async function isDone({ canFail }: Run, request: Promise<void>): Promise<boolean> {
  try {
    await request;
    return true;
  } catch (error) {
    if (!canFail || !isCevError(error) || error.code !== "CEV_IO") throw error;
    return false;
  }
}
