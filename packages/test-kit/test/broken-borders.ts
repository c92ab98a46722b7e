import { Op, runOf } from "@cev/core";
import { when } from "./defect-layer.ts";
import type { Broken } from "./defect-layer.ts";

const PREFERRED = 4096;

/** Layers with one defect each at the borders of what they prefer, and of what they are asked for. */
export const BROKEN_BORDERS: readonly Broken[] = [
  {
    what: "refuses what crosses a border of the length that it prefers",
    theme: "alignment",
    finding: /failed: CEV_INVALID/,
    defect: {
      limits: (limits) => ({ ...limits, ioLengthPreferred: PREFERRED }),
      submit: when(
        ({ op, offset, length }) =>
          op <= Op.write && offset % PREFERRED !== 0 && (offset % PREFERRED) + length > PREFERRED,
        (io) => io.fail("CEV_INVALID", "it crosses a border", "defect"),
      ),
    },
  },
  {
    what: "discards whole units of its granularity around what was asked for",
    theme: "alignment",
    finding: /changed byte \d+, which lies around it/,
    defect: {
      limits: (limits) => ({ ...limits, discardGranularity: PREFERRED }),
      submit: when(
        (io) => io.op === Op.discard,
        (io, layer) => {
          const { offset, length } = io;
          io.pushAction((done) => Object.assign(done, { offset, length, transferred: length }), null);
          io.offset = offset - (offset % PREFERRED);
          io.length = Math.ceil((offset + length) / PREFERRED) * PREFERRED - io.offset;
          layer.pass(io);
        },
      ),
    },
  },
  {
    what: "tells of more runs than it was asked for",
    theme: "extents",
    finding: /asked for at most \d+ runs/,
    defect: {
      runs: (_offset, length) =>
        Array.from({ length: Math.ceil(length / 512) }, () => runOf("data", 512)[0]!),
    },
  },
];
