import { EventState, Op, opName } from "@cev/core";
import type { Bench } from "./bench.ts";
import { BenchPool } from "./bench-pool.ts";
import { expectThat, fail } from "./subject.ts";
import { expectOldOrNew, expectRead, offeredOps, randomRanges } from "./work.ts";

/** Requests that come when there is no memory, and may end when there is some again. */
export async function withoutMemory(bench: Bench): Promise<void> {
  const { buffers } = bench.environment;
  if (!(buffers instanceof BenchPool)) fail("the environment has another pool than the suite gave it");
  const model = await bench.learn();
  for (const op of offeredOps(bench.top.support))
    for (const { offset, length } of randomRanges(bench, 3)) {
      const data = op === Op.write ? bench.random.bytes(length) : new Uint8Array(length);
      buffers.fill();
      const io = bench.submit(op, offset, length, { data: data.slice() });
      await bench.turns(() => io.state === EventState.done);
      buffers.makeRoom();
      await bench.ended(io);
      const when = `after ${opName(op)} of ${length} bytes at ${offset}, when the buffer pool was empty,`;
      expectThat(io.error?.code !== "CEV_PROGRAM", `${when} it met a bug: ${io.error?.message}`);
      if (op === Op.discard) model.forget(offset, length);
      else if (op === Op.read) {
        if (io.error === null) expectRead(model, offset, io.data);
      } else await expectOldOrNew(bench, model, { offset, length }, data, when);
    }
  await bench.compare(model, "after requests that came when the buffer pool was empty");
}
