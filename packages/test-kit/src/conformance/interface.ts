import { Io, Op, checkLimits, opName, supportOf } from "@cev/core";
import { Bench } from "./bench.ts";
import { expectThat } from "./subject.ts";
import type { AddCheck } from "./subject.ts";
import type { Tested } from "./tested.ts";
import { expectRead } from "./work.ts";

const SHORT_BLOCKS = 16;

/** What a layer says of itself. */
export function interfaceChecks(tested: Tested, add: AddCheck): void {
  add("limits make sense, support is what the manifest says, and describe is plain data", () =>
    Bench.run(tested, {}, async (bench) => checkWords(bench, tested)),
  );
  add("its lowers are claimed while it is open", () => Bench.run(tested, {}, checkClaims));
}

/** The edges of what it takes. */
export function limitsChecks(tested: Tested, add: AddCheck): void {
  add("the first block, the last one, and the longest request are served", () =>
    Bench.run(tested, { completion: "random", seed: 300 }, edges),
  );
  add("over lowers that take short requests only it sends them no longer ones", () => shortLowers(tested));
  add("memory of any kind will do, and what lies around it is left alone", () =>
    Bench.run(tested, { completion: "later", seed: 310 }, memories),
  );
}

/** What is not offered is refused, and nothing of it reaches the layers below. */
export function refusalChecks(tested: Tested, add: AddCheck): void {
  const denied = deniedOps(tested);
  add(
    "what support denies is refused",
    () => Bench.run(tested, {}, (bench) => refusals(bench, denied)),
    denied.length === 0 ? "it denies nothing" : null,
  );
  add("an operation invented later is refused, not let through", () =>
    Bench.run(tested, {}, (bench) => refusals(bench, [5 as Op, 99 as Op])),
  );
}

async function checkWords(bench: Bench, tested: Tested): Promise<void> {
  const { layer } = bench;
  checkLimits(layer.limits);
  expectThat(layer.name !== "", "the layer has no name");
  for (const [feature, level] of Object.entries(tested.manifest.support)) {
    const said = layer.support[feature as keyof typeof layer.support];
    expectThat(said === level, `support.${feature} is ${said}, and the manifest says ${level}`);
  }
  const description = layer.describe();
  expectThat(description.driver !== "", "describe() names no driver");
  const copy = JSON.stringify(JSON.parse(JSON.stringify(description)));
  expectThat(copy === JSON.stringify(description), "describe() is not plain data");
  for (const [name, value] of Object.entries(description.options))
    expectThat(value !== undefined, `describe() has an option ${name} without a value`);
}

async function checkClaims(bench: Bench): Promise<void> {
  bench.layer.lowers.forEach((lower, index) =>
    expectThat(lower.claims.count > 0, `lower ${index} is not claimed while the layer is open`),
  );
}

async function edges(bench: Bench): Promise<void> {
  const { random, size, blockSize, lengthMax } = bench;
  const model = await bench.learn();
  const ranges = [
    { offset: 0, length: blockSize },
    { offset: size - blockSize, length: blockSize },
    { offset: 0, length: lengthMax },
    { offset: size - lengthMax, length: lengthMax },
  ];
  for (const { offset, length } of ranges) {
    if (bench.top.support.write !== "none") {
      const data = random.bytes(length);
      await bench.succeed(Op.write, offset, length, { data });
      model.write(offset, data);
    }
    expectRead(model, offset, (await bench.succeed(Op.read, offset, length)).data);
  }
  await bench.compare(model, "after requests at the edges");
}

/** However short the requests are that its lowers take, one of its blocks is among them. */
async function shortLowers(tested: Tested): Promise<void> {
  let unit = 512;
  await Bench.run(tested, { seed: 320 }, async (bench) => {
    const { logicalBlockSize, physicalBlockSize } = bench.layer.limits;
    unit = Math.max(unit, logicalBlockSize, physicalBlockSize);
    await bench.succeed(Op.read, 0, bench.blockSize);
  });
  const ioLengthMax = SHORT_BLOCKS * unit;
  await Bench.run(tested, { completion: "random", seed: 320, ioLengthMax }, edges);
}

async function memories(bench: Bench): Promise<void> {
  const { random, environment } = bench;
  const length = Math.min(4 * bench.blockSize, bench.lengthMax);
  const model = await bench.learn();
  const pooled = environment.buffers.acquire(length + 512);
  const kinds: [string, Uint8Array][] = [
    ["an array of its own", new Uint8Array(length + 512)],
    ["a view of a larger one", new Uint8Array(length + 4096).subarray(77, 77 + length + 512)],
    ["memory of the buffer pool", pooled.bytes],
  ];
  for (const [what, data] of kinds) {
    for (const dataOffset of [0, 1, 64, 511]) {
      random.fill(data);
      const before = data.slice();
      if (bench.top.support.write !== "none") {
        await bench.succeed(Op.write, 0, length, { data, dataOffset });
        model.write(0, data.subarray(dataOffset, dataOffset + length));
        expectThat(same(data, before), `a write altered ${what}`);
      }
      random.fill(data);
      const around = data.slice();
      await bench.succeed(Op.read, 0, length, { data, dataOffset });
      expectRead(model, 0, data.subarray(dataOffset, dataOffset + length));
      around.set(data.subarray(dataOffset, dataOffset + length), dataOffset);
      expectThat(same(data, around), `a read into ${what} changed what lies around it`);
    }
  }
  environment.buffers.release(pooled);
}

async function refusals(bench: Bench, ops: readonly Op[]): Promise<void> {
  for (const op of ops) {
    const counts = bench.lowers.map(({ fault }) => fault.requestCount);
    const length = op === Op.flush ? 0 : bench.blockSize;
    const io = new Io(bench.environment.runQueue).prepare(op, 0, length, new Uint8Array(length));
    // Straight to the layer: whoever stands above it would have refused it already.
    bench.layer.submit(io);
    await bench.ended(io);
    const code = io.error?.code ?? "success";
    const isRefused = code === "CEV_NOT_SUPPORTED" || (code === "CEV_READ_ONLY" && op !== Op.flush);
    expectThat(isRefused, `${opName(op)} is not offered and should be refused; it ended with ${code}`);
    bench.lowers.forEach(({ fault }, index) => {
      // A lower that does not offer it either may be left to refuse it.
      const isOffered = op > Op.writeZeroes || supportOf(fault.support, op) !== "none";
      const hasReached = isOffered && fault.requestCount !== counts[index];
      expectThat(!hasReached, `${opName(op)}, which was refused, reached lower ${index}`);
    });
  }
}

function deniedOps({ manifest: { support } }: Tested): Op[] {
  const ops: Op[] = [];
  if (support.read === "none") ops.push(Op.read);
  if (support.write === "none") ops.push(Op.write);
  if (support.flush === "none") ops.push(Op.flush);
  if (support.discard === "none") ops.push(Op.discard);
  if (support.writeZeroes === "none") ops.push(Op.writeZeroes);
  return ops;
}

const same = (a: Uint8Array, b: Uint8Array): boolean => a.every((byte, index) => byte === b[index]);
