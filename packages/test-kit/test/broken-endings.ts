import { IoFlag, Op, ioError } from "@cev/core";
import { HANGS, dataOf, flip, isWrite, when } from "./defect-layer.ts";
import type { Broken } from "./defect-layer.ts";

/** Layers with one defect each in how they fail, complete, or make things durable. */
export const BROKEN_ENDINGS: readonly Broken[] = [
  {
    what: "transforms the data of a write in place, and back at the end",
    theme: "completion",
    finding: /altered under way|data altered/,
    defect: {
      submit: (io, layer) => {
        if (io.op === Op.write) flip(dataOf(io));
        if (io.op <= Op.write) io.pushAction((done) => flip(dataOf(done)), null);
        layer.pass(io);
      },
    },
  },
  {
    what: "says that a write is done before it is, from the caller's memory",
    theme: "completion",
    finding: /not what it should be|wrong byte/,
    defect: {
      submit: when(isWrite, (io, layer) => {
        const data = dataOf(io);
        const { offset } = io;
        layer.environment.clock.after(3, () => layer.send(Op.write, offset, data, () => undefined));
        io.complete();
      }),
    },
  },
  {
    what: "drops flushes",
    theme: "durability",
    finding: /not what it should be|neither old nor new/,
    defect: {
      submit: when(
        (io) => io.op === Op.flush,
        (io) => io.complete(),
      ),
    },
  },
  {
    what: "loses FUA on the way",
    theme: "durability",
    finding: /not what it should be|neither old nor new/,
    defect: {
      submit: when(isWrite, (io, layer) => {
        const { flags } = io;
        io.pushAction((done) => void (done.flags = flags), null);
        io.flags &= ~IoFlag.fua;
        layer.pass(io);
      }),
    },
  },
  {
    what: "swallows errors from below",
    theme: "errors",
    finding: /succeeded all the same/,
    defect: {
      submit: (io, layer) => {
        io.pushAction((done) => {
          if (done.error === null) return;
          done.error = null;
          done.transferred = done.length;
        }, null);
        layer.pass(io);
      },
    },
  },
  {
    what: "gives success with wrong data when a read fails",
    theme: "errors",
    finding: /wrong byte/,
    manifest: { canHideErrors: true },
    defect: {
      submit: when(
        (io) => io.op === Op.read,
        (io, layer) => {
          io.pushAction((done) => {
            if (done.error === null) return;
            done.error = null;
            done.transferred = done.length;
            dataOf(done).fill(0x11);
          }, null);
          layer.pass(io);
        },
      ),
    },
  },
  {
    what: "answers errors from below with errors that have no code",
    theme: "errors",
    finding: /without a code|no code/,
    defect: {
      submit: (io, layer) => {
        io.pushAction((done) => {
          if (done.error !== null) done.error = new Error("it failed") as never;
        }, null);
        layer.pass(io);
      },
    },
  },
  {
    what: "answers errors from below with a cancel",
    theme: "errors",
    finding: /nobody asked|CEV_CANCELLED/,
    defect: {
      submit: (io, layer) => {
        io.pushAction((done) => {
          if (done.error !== null) done.error = ioError(done, "CEV_CANCELLED", "gave up", "defect");
        }, null);
        layer.pass(io);
      },
    },
  },
  {
    what: "writes into the memory of a read after it has completed",
    theme: "completion",
    finding: /memory was touched/,
    defect: {
      submit: when(
        (io) => io.op === Op.read,
        (io, layer) => {
          const data = dataOf(io);
          io.pushAction(() => layer.environment.later(() => data.fill(0x77)), null);
          layer.pass(io);
        },
      ),
    },
  },
  {
    what: "has none of the redundancy that its manifest promises",
    theme: "errors",
    finding: /CEV_DEVICE_LOST/,
    manifest: { canHideErrors: true, lostLowersMax: 1 },
    defect: {},
  },
  {
    what: "drops a request for which there is no memory",
    theme: "errors",
    finding: HANGS,
    check: /buffer pool is empty/,
    defect: {
      submit: when(isWrite, (io, layer) => {
        const { buffers } = layer.environment;
        const buffer = buffers.tryAcquire(io.length);
        if (buffer === null) return;
        io.pushAction(() => buffers.release(buffer), null);
        layer.pass(io);
      }),
    },
  },
  {
    what: "hangs when its lower is lost",
    theme: "errors",
    finding: HANGS,
    defect: {
      submit: (io, layer) => {
        io.pushAction((done) => {
          if (done.error?.code === "CEV_DEVICE_LOST") done.hold();
        }, null);
        layer.pass(io);
      },
    },
  },
];
