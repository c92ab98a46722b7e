import { IoFlag, Op, refuse } from "@cev/core";
import type { PoolBuffer } from "@cev/core";
import { HANGS, dataOf, flip, isWrite, nothing, when } from "./defect-layer.ts";
import type { Broken } from "./defect-layer.ts";

/** Layers with one defect each in what they store, take, or say of themselves. */
export const BROKEN_CONTENTS: readonly Broken[] = [
  {
    what: "moves the offset and does not put it back",
    theme: "contents",
    finding: /another offset/,
    defect: {
      limits: (limits) => ({ ...limits, size: limits.size - 4096 }),
      submit: when(
        (io) => io.op !== Op.flush,
        (io, layer) => {
          io.offset += 4096;
          layer.pass(io);
        },
      ),
    },
  },
  {
    what: "transforms the data of a write in place",
    theme: "contents",
    finding: /data altered/,
    defect: {
      submit: when(isWrite, (io, layer) => {
        flip(dataOf(io));
        layer.pass(io);
      }),
    },
  },
  {
    what: "drops writes",
    theme: "contents",
    finding: /wrong byte|not what it should be/,
    defect: { submit: when(isWrite, (io) => io.complete()) },
  },
  {
    what: "does not put the flags back",
    theme: "contents",
    finding: /another flags/,
    defect: {
      submit: when(isWrite, (io, layer) => {
        io.flags &= ~IoFlag.fua;
        layer.pass(io);
      }),
    },
  },
  {
    what: "lets operations through that it does not know",
    theme: "refusals",
    finding: /reached lower/,
    defect: { submit: (io, layer) => layer.lower.submit(io) },
  },
  {
    what: "counts what it has not transferred",
    theme: "contents",
    finding: /bytes transferred/,
    defect: {
      submit: (io, layer) => {
        io.pushAction((done) => void (done.transferred = done.length / 2 + 1), null);
        layer.pass(io);
      },
    },
  },
  {
    what: "has an action that throws",
    theme: "contents",
    finding: /CEV_PROGRAM|met a bug/,
    defect: {
      submit: (io, layer) => {
        io.pushAction(() => {
          throw new Error("boom");
        }, null);
        layer.pass(io);
      },
    },
  },
  {
    what: "writes zeroes nowhere",
    theme: "zeroes",
    finding: /wrong byte|not what it should be/,
    defect: {
      submit: when(
        (io) => io.op === Op.writeZeroes,
        (io) => io.complete(),
      ),
    },
  },
  {
    what: "discards a block too many",
    theme: "zeroes",
    finding: /not what it should be/,
    defect: {
      submit: when(
        (io) => io.op === Op.discard && io.offset >= 512,
        (io, layer) => {
          io.pushAction((done) => {
            done.offset += 512;
            done.length -= 512;
            done.transferred -= 512;
          }, null);
          io.offset -= 512;
          io.length += 512;
          layer.pass(io);
        },
      ),
    },
  },
  {
    what: "does not serve the last block",
    theme: "limits",
    finding: /CEV_OUT_OF_RANGE/,
    defect: {
      submit: when(
        (io) => io.offset + io.length >= 65_536,
        (io) => io.fail("CEV_OUT_OF_RANGE", "off by one", "defect"),
      ),
    },
  },
  {
    what: "sends down requests that are longer than the lower takes",
    theme: "limits",
    finding: /is longer than/,
    lower: { limits: { ioLengthMax: 8192 } },
    defect: { limits: (limits) => ({ ...limits, ioLengthMax: 65_536 }) },
  },
  {
    what: "sends down requests that are longer than another lower takes than the one it was tried over",
    theme: "limits",
    finding: /is longer than/,
    defect: { limits: (limits) => ({ ...limits, ioLengthMax: 65_536 }) },
  },
  {
    what: "sends down requests that are not aligned",
    theme: "contents",
    finding: /not aligned/,
    lower: { blockSize: 4096 },
    defect: { limits: (limits) => ({ ...limits, logicalBlockSize: 512 }) },
  },
  {
    what: "takes data from the beginning of the memory",
    theme: "limits",
    finding: /wrong byte|not what it should be/,
    defect: {
      submit: when(isWrite, (io, layer) => {
        const { dataOffset } = io;
        io.pushAction((done) => void (done.dataOffset = dataOffset), null);
        io.dataOffset = 0;
        layer.pass(io);
      }),
    },
  },
  {
    what: "uses one buffer for all requests",
    theme: "contents",
    finding: /wrong byte|not what it should be/,
    defect: {
      submit: when(isWrite, (io, layer) => {
        if (layer.scratch.length < io.length) layer.scratch = new Uint8Array(65_536);
        layer.scratch.set(dataOf(io));
        const { data, dataOffset } = io;
        io.pushAction((done) => {
          done.data = data;
          done.dataOffset = dataOffset;
        }, null);
        io.data = layer.scratch;
        io.dataOffset = 0;
        layer.pass(io);
      }),
    },
  },
  {
    what: "answers reads from a cache that zeroes do not reach",
    theme: "zeroes",
    finding: /wrong byte|not what it should be/,
    defect: {
      submit: (io, layer) => {
        const cached = layer.cache.get(io.offset);
        if (io.op === Op.read && cached?.length === io.length) {
          io.data.set(cached, io.dataOffset);
          return io.complete();
        }
        if (io.op === Op.write) {
          layer.cache.clear();
          layer.cache.set(io.offset, dataOf(io).slice());
        }
        layer.pass(io);
      },
    },
  },
  {
    what: "keeps buffers of the pool",
    theme: "contents",
    finding: /were not given back/,
    defect: {
      submit: (io, layer) => {
        const buffer: PoolBuffer = layer.environment.buffers.acquire(512);
        buffer.bytes[0] = 1;
        layer.pass(io);
      },
    },
  },
  {
    what: "does not claim its lower",
    theme: "interface",
    finding: /is not claimed/,
    defect: { claims: "none" },
  },
  {
    what: "says that it supports what it refuses",
    theme: "zeroes",
    finding: /CEV_NOT_SUPPORTED/,
    defect: {
      submit: when(
        (io) => io.op === Op.writeZeroes,
        (io, layer) => refuse(io, layer),
      ),
    },
  },
  {
    what: "says something else of its support than its manifest",
    theme: "interface",
    finding: /support.discard is none/,
    defect: { support: { discard: "none" } },
  },
  {
    what: "describes itself with what is no plain data",
    theme: "interface",
    finding: /not plain data|without a value/,
    defect: {
      describe: () => ({ driver: "defect", options: { start: undefined as never }, lowers: [] }),
    },
  },
  {
    what: "forgets everything when it is made again",
    theme: "contents",
    finding: /not what it should be/,
    defect: {
      submit: (io, layer) => {
        // The key is made anew each time the layer is.
        const key = layer.seed & 0xff;
        const data = io.op === Op.write ? dataOf(io).map((byte) => byte ^ key) : nothing;
        if (io.op === Op.read)
          io.pushAction(
            (done) => dataOf(done).forEach((byte, at) => void (dataOf(done)[at] = byte ^ key)),
            null,
          );
        if (io.op !== Op.write) return layer.pass(io);
        layer.send(Op.write, io.offset, data, (sub) => io.complete(sub.error), io.flags);
      },
    },
  },
  {
    what: "never answers a flush that came after another",
    theme: "contents",
    finding: HANGS,
    defect: {
      submit: when(
        (io) => io.op === Op.flush,
        (io, layer) => {
          if (layer.cache.size === 0) layer.pass(io);
          layer.cache.set(0, nothing);
        },
      ),
    },
  },
];
