import { ok } from "node:assert/strict";
import { test } from "node:test";
import { Device, Io, Op, environmentFrom } from "@cev/core";
import { FaultLayer, PowerCutLayer, Random } from "@cev/test-kit";
import { ChecksumLayer, planHeader } from "../src/index.ts";

const environment = environmentFrom(globalThis);
const SIZE = 65_536;
const header = planHeader(SIZE, 512)!;
const { dataOffset } = header;

const block = (value: number): Uint8Array => new Uint8Array(512).fill(value);

interface Rig {
  readonly disk: PowerCutLayer;
  readonly fault: FaultLayer;
  readonly layer: ChecksumLayer;
  readonly device: Device;
}

/** A device whose first block holds ones, durably. */
async function deviceWithOnes(completion: "atOnce" | "later" = "atOnce"): Promise<Rig> {
  const disk = new PowerCutLayer(environment, { size: SIZE, completion });
  const fault = new FaultLayer(disk, environment);
  const layer = new ChecksumLayer(fault, { environment, header, isNew: true });
  const device = await Device.open(layer, environment);
  await device.write(0, block(1));
  await device.flush();
  return { disk, fault, layer, device };
}

/** What the first block holds after a power cut that loses all that is not durable. */
async function firstByteAfterCut({ disk }: Rig): Promise<number> {
  const contents = disk.imageAfterCut(new Random(1), "none");
  const after = new PowerCutLayer(environment, { size: SIZE, contents });
  await using device = await Device.open(new ChecksumLayer(after, { environment, header }), environment);
  return (await device.read(0, 512))[0]!;
}

await test("a block that is written twice between two flushes is what was flushed before, or later", async () => {
  const rig = await deviceWithOnes();
  await rig.device.write(0, block(2));
  await rig.device.write(0, block(3));
  ok([1, 2, 3].includes(await firstByteAfterCut(rig)));
});

await test("the same when the first of them was done, and failed", async () => {
  const rig = await deviceWithOnes();
  const fault = { kind: "errorAfter", code: "CEV_IO" } as const;
  rig.fault.add({ op: Op.write, offset: dataOffset, countMax: 1, fault });
  await rig.device.write(0, block(2)).catch(() => undefined);
  await rig.device.write(0, block(3));
  ok([1, 2, 3].includes(await firstByteAfterCut(rig)));
});

await test("the same when it was opened anew in between, and what it was open on still had a cache", async () => {
  const rig = await deviceWithOnes();
  await rig.device.write(0, block(2));
  rig.fault.lose();
  await rig.device.close().catch(() => undefined);
  rig.fault.find();
  const device = await Device.open(new ChecksumLayer(rig.fault, { environment, header }), environment);
  await device.write(0, block(3));
  ok([1, 2, 3].includes(await firstByteAfterCut(rig)));
});

await test("the same when a flush began while it was being written, and ended after it", async () => {
  const rig = await deviceWithOnes("later");
  const flushes: Promise<unknown>[] = [];
  let changes = 0;
  rig.disk.onChange = () => {
    // First the sums, then the data: when that is on its way, somebody asks for a flush.
    if (++changes !== 2) return;
    const io = new Io(environment.runQueue).prepare(Op.flush, 0, 0);
    flushes.push(io.promise());
    queueMicrotask(() => rig.layer.submit(io));
  };
  await rig.device.write(0, block(2));
  await Promise.all(flushes);
  await rig.device.write(0, block(3));
  ok([1, 2, 3].includes(await firstByteAfterCut(rig)));
});
