import { Op, ioError, runAsBelow, runOf } from "@cev/core";
import type { Io } from "@cev/core";
import { flip, isWrite, when } from "./defect-layer.ts";
import type { Broken, DefectLayer } from "./defect-layer.ts";

/** Layers with one defect each in what they tell of their contents. */
export const BROKEN_EXTENTS: readonly Broken[] = [
  {
    what: "tells of holes everywhere",
    theme: "extents",
    finding: /told to be zero/,
    defect: { runs: (_offset, length) => runOf("hole", length) },
  },
  {
    what: "tells of its lower's bytes at another place",
    theme: "extents",
    finding: /told to be zero/,
    defect: {
      limits: (limits) => ({ ...limits, size: limits.size - 4096 }),
      runs: (offset, length, layer) => runAsBelow(layer.lower, offset + 4096, length),
    },
  },
  {
    what: "transforms what it stores and passes extents on",
    theme: "extents",
    finding: /told to be zero/,
    defect: {
      submit: (io, layer) => {
        if (io.op !== Op.read) return layer.pass(io);
        io.pushAction(transform, layer);
        layer.pass(io);
      },
    },
  },
  {
    what: "looks for damage in what it reads and passes extents on",
    theme: "extents",
    check: /behind its back/,
    finding: /told to be zero where zeroes are below, and cannot be read/,
    defect: {
      submit: (io, layer) => {
        // Once it has been made again it knows of no block that nobody wrote.
        if (io.op === Op.read && layer.seed === 2) io.pushAction(failZeroes, layer);
        layer.pass(io);
      },
    },
  },
  {
    what: "keeps what was written to itself for a turn",
    theme: "extents",
    finding: /were just written/,
    defect: { submit: when(isWrite, writeBehind) },
  },
];

function failZeroes(io: Io): void {
  const { data, dataOffset, length } = io;
  if (io.error !== null || data.subarray(dataOffset, dataOffset + length).some((byte) => byte !== 0)) return;
  io.error = ioError(io, "CEV_MEDIUM", "its checksum is wrong", "defect");
  io.transferred = 0;
}

function transform(io: Io): void {
  flip(io.data.subarray(io.dataOffset, io.dataOffset + io.length));
}

/** Says that it is done, and lets the lower know of it afterwards. */
function writeBehind(io: Io, layer: DefectLayer): void {
  const data = io.data.slice(io.dataOffset, io.dataOffset + io.length);
  const { offset } = io;
  io.complete();
  layer.environment.later(() => layer.send(Op.write, offset, data, () => undefined));
}
