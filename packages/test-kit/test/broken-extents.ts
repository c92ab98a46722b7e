import { Op, runAsBelow, runOf } from "@cev/core";
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
    what: "keeps what was written to itself for a turn",
    theme: "extents",
    finding: /were just written/,
    defect: { submit: when(isWrite, writeBehind) },
  },
];

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
