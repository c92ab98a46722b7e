import { Device, Io, IoFlag, Op } from "@cev/core";
import { Bench } from "./bench.ts";
import { deniedBy } from "./left-out.ts";
import { expectThat } from "./subject.ts";
import type { AddCheck } from "./subject.ts";
import type { Tested } from "./tested.ts";
import { closeLoaded, offeredOps } from "./work.ts";

/** Closing with requests under way. */
export function closeChecks(tested: Tested, add: AddCheck): void {
  add("closing under load lets every request end, then releases everything below", () =>
    Bench.run(tested, { completion: "later", seed: 630 }, async (bench) =>
      closeLoaded(bench, await Device.open(bench.top, bench.environment)),
    ),
  );
  add(
    "closing waits for requests that hang below, and ends when those lowers are lost",
    () => Bench.run(tested, { seed: 632 }, closeWhileHanging),
    deniedBy(tested, "read"),
  );
  add("closing twice is closing once, and what comes afterwards is refused", () =>
    Bench.run(tested, { completion: "later", seed: 634 }, closeTwice),
  );
  add("a layer that is never asked for anything can be closed", () =>
    Bench.run(tested, { seed: 636 }, () => Promise.resolve()),
  );
}

async function closeWhileHanging(bench: Bench): Promise<void> {
  const device = await Device.open(bench.top, bench.environment);
  const { support } = bench.top;
  for (const { fault } of bench.lowers) fault.add({ fault: { kind: "hang" } });
  const ios = offeredOps(support).map((op, index) => {
    const flags = op === Op.write && support.fua !== "none" ? IoFlag.fua : 0;
    const length = bench.blockSize;
    const io = new Io(bench.environment.runQueue);
    device.submit(io.prepare(op, index * length, length, new Uint8Array(length), 0, flags));
    return io;
  });
  const isHanging = (): boolean => bench.lowers.some(({ fault }) => fault.hangingCount > 0);
  await bench.turns(isHanging);
  let isClosed = false;
  const closing = device.close().then(
    () => (isClosed = true),
    () => (isClosed = true),
  );
  await bench.turns(() => isClosed);
  expectThat(!isClosed || !isHanging(), "closing ended while requests hung below");
  for (const { fault } of bench.lowers) fault.lose();
  for (const io of ios) await bench.ended(io);
  await bench.inTime(closing, "did not close when its lowers were lost");
  for (const { fault } of bench.lowers) fault.reset();
}

async function closeTwice(bench: Bench): Promise<void> {
  const device = await Device.open(bench.top, bench.environment);
  const closings = [device.close(), device.close()];
  for (const closing of closings) await bench.inTime(closing, "did not close");
  await bench.inTime(device.close(), "did not close once more");
  const length = bench.blockSize;
  const late = new Io(bench.environment.runQueue).prepare(Op.read, 0, length, new Uint8Array(length));
  device.submit(late);
  expectThat(late.error?.code === "CEV_CLOSED", "a request after close() was not refused");
}
