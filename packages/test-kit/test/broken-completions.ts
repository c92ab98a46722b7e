import { EventState, Io, IoFlag, Op } from "@cev/core";
import { NoOpLayer } from "../src/index.ts";
import { dataOf, flip, isWrite, nothing, when } from "./defect-layer.ts";
import type { Broken, DefectLayer } from "./defect-layer.ts";

/** Layers with one defect each in whose completion they wait for, and whom they tell. */
export const BROKEN_COMPLETIONS: readonly Broken[] = [
  {
    what: "completes a request twice",
    theme: "completion",
    check: /exactly once/,
    finding: /completed twice: read of/,
    defect: {
      submit: (io, layer) => {
        layer.pass(io);
        layer.environment.later(() => io.complete());
      },
    },
  },
  {
    what: "takes the place of the owner of a request",
    theme: "completion",
    check: /several waiters/,
    finding: /were woken as: 1,2,3,exclusive 2,exclusive 1$/,
    defect: {
      submit: (io, layer) => {
        io.setOwner(() => undefined, null);
        layer.pass(io);
      },
    },
  },
  {
    what: "goes on with a chain that somebody above holds",
    theme: "deferral",
    check: /an action above holds/,
    finding: /went on before it was resumed/,
    defect: {
      submit: (io, layer) => {
        const { later } = layer.environment;
        io.pushAction(() => later(() => later(() => later(() => goOn(io)))), null);
        layer.pass(io);
      },
    },
  },
  {
    what: "transforms what was read only after the actions above",
    theme: "deferral",
    check: /an action above finds/,
    finding: /did not hold its data yet/,
    defect: {
      submit: (io, layer) => {
        if (io.op === Op.read) io.wait((done) => flip(dataOf(done)), null);
        if (io.op !== Op.write) return layer.pass(io);
        const data = io.data.slice(io.dataOffset, io.dataOffset + io.length);
        flip(data);
        layer.send(Op.write, io.offset, data, () => io.complete(), io.flags);
      },
    },
  },
  {
    what: "takes a read below for done while its chain is held",
    theme: "deferral",
    check: /over lowers, and under/,
    finding: /gave a wrong byte|not what it should be/,
    defect: {
      submit: when(
        (io) => io.op === Op.read,
        (io, layer) => {
          const data = new Uint8Array(io.length);
          peek(layer, Op.read, io, data, () => {
            io.data.set(data, io.dataOffset);
            io.complete();
          });
        },
      ),
    },
  },
  {
    what: "answers writes whose completion is held below",
    theme: "deferral",
    check: /closing waits/,
    finding: /completions were kept back/,
    defect: {
      submit: when(isWrite, (io, layer) => {
        const data = io.data.slice(io.dataOffset, io.dataOffset + io.length);
        peek(layer, Op.write, io, data, () => io.complete());
      }),
    },
  },
  {
    what: "cancels the requests of others",
    theme: "cancel",
    check: /nobody cancelled/,
    finding: /another was cancelled/,
    defect: {
      submit: (io, layer) => {
        layer.underWay.add(io);
        io.pushAction(leave, new Together(layer));
        layer.pass(io);
      },
    },
  },
  {
    what: "makes only the last write durable",
    theme: "durability",
    finding: /after a (flush under load and a )?power cut/,
    defect: {
      submit: (io, layer) => {
        if (io.op === Op.write) layer.lastWrite = { offset: io.offset, data: dataOf(io).slice() };
        if (io.op !== Op.flush) return layer.pass(io);
        const { offset, data } = layer.lastWrite;
        if (data.length === 0) return layer.pass(io);
        layer.send(Op.write, offset, data, () => io.complete(), IoFlag.fua);
      },
    },
  },
  {
    what: "swallows the error of a flush",
    theme: "durability",
    check: /flush that fails/,
    finding: /and the flush above it succeeded/,
    defect: {
      submit: (io, layer) => {
        if (io.op === Op.flush)
          io.pushAction((done) => {
            done.error = null;
            done.transferred = 0;
          }, null);
        layer.pass(io);
      },
    },
  },
  {
    what: "takes for durable what a flush that failed was to cover",
    theme: "durability",
    check: /flush that fails/,
    finding: /after a flush that failed, one that succeeded, and a power cut/,
    defect: {
      submit: (io, layer) => {
        if (io.op !== Op.flush) layer.isDirty = true;
        else if (!layer.isDirty) return io.complete();
        else layer.isDirty = false;
        layer.pass(io);
      },
    },
  },
  {
    what: "sets its lower aside when a flush of it fails, and has no other",
    theme: "durability",
    check: /flush that fails/,
    manifest: { canHideErrors: true },
    finding: /after a flush that failed, one that succeeded, and a power cut/,
    defect: {
      submit: (io, layer) => {
        if (io.op !== Op.flush) return layer.pass(io);
        if (layer.isDirty) return io.complete();
        io.pushAction((done) => {
          layer.isDirty = done.error !== null;
          done.error = null;
          done.transferred = 0;
        }, null);
        layer.pass(io);
      },
    },
  },
  {
    what: "answers a write with FUA before it is durable",
    theme: "durability",
    check: /write with FUA/,
    finding: /after a power cut/,
    defect: {
      submit: when(isWrite, (io, layer) => {
        const data = dataOf(io).slice();
        const { offset } = io;
        layer.send(Op.write, offset, data, () => {
          io.complete();
          layer.environment.clock.after(50, () => layer.send(Op.flush, 0, nothing, () => undefined));
        });
      }),
    },
  },
  {
    what: "counts as done what failed",
    theme: "errors",
    check: /below fails, then/,
    finding: /it says that \d+ bytes were done/,
    defect: {
      submit: (io, layer) => {
        io.pushAction((done) => {
          if (done.error !== null) done.transferred = done.length;
        }, null);
        layer.pass(io);
      },
    },
  },
  {
    what: "answers writes at once, and does not wait for them when it is closed",
    theme: "close",
    check: /hang below/,
    finding: /closing ended while requests hung below/,
    defect: {
      submit: (io, layer) => {
        if (io.op !== Op.write && io.op !== Op.writeZeroes) return io.complete();
        const data = io.op === Op.write ? dataOf(io).slice() : new Uint8Array(io.length);
        const { offset } = io;
        io.complete();
        layer.send(Op.write, offset, data, () => undefined);
      },
    },
  },
  {
    what: "does more over a layer that does nothing than over any other",
    theme: "transparency",
    finding: /was sent .*flush.* instead of/,
    defect: {
      submit: when(isWrite, (io, layer) => {
        if (layer.lower instanceof NoOpLayer) layer.send(Op.flush, 0, nothing, () => undefined);
        layer.pass(io);
      }),
    },
  },
];

function goOn(io: Io): void {
  if (io.state === EventState.held) io.resume();
}

/** Sends a request below, and calls it done as soon as it is not pending. */
function peek(layer: DefectLayer, op: Op, { offset }: Io, data: Uint8Array, done: () => void): void {
  const io = new Io(layer.environment.runQueue).prepare(op, offset, data.length, data);
  layer.lower.submit(io);
  const look = (): void => {
    if (io.state === EventState.pending) layer.environment.later(look);
    else done();
  };
  look();
}

class Together {
  readonly layer: DefectLayer;

  constructor(layer: DefectLayer) {
    this.layer = layer;
  }

  onCancel(): void {
    for (const other of this.layer.underWay) other.cancel();
  }
}

function leave(io: Io, { layer }: Together): void {
  layer.underWay.delete(io);
}
