import { FULL_SUPPORT, Io, IoFlag, LayerBase, Op, ioError, refuse } from "@cev/core";
import type { Environment, Layer, LayerDescription, Limits, PoolBuffer, Support } from "@cev/core";
import { describe, expect, test } from "vitest";
import { conformanceChecks } from "../src/index.ts";
import type { LowerOptions, Manifest, Theme } from "../src/index.ts";

/** What makes a layer broken: everything not given here is as it should be. */
interface Defect {
  readonly submit?: (io: Io, layer: DefectLayer) => void;
  readonly limits?: (limits: Limits) => Limits;
  readonly support?: Partial<Support>;
  readonly describe?: () => LayerDescription;
  readonly claims?: "none";
}

/** A layer that passes everything on, but for its defect. */
class DefectLayer extends LayerBase {
  readonly name = "defect";
  readonly limits: Limits;
  readonly support: Support;
  readonly lower: Layer;
  readonly environment: Environment;
  readonly seed: number;
  scratch: Uint8Array = new Uint8Array(0);
  readonly cache = new Map<number, Uint8Array>();
  readonly #defect: Defect;

  constructor(lower: Layer, environment: Environment, defect: Defect, seed: number) {
    super([lower]);
    this.lower = lower;
    this.environment = environment;
    this.limits = defect.limits?.(lower.limits) ?? lower.limits;
    this.support = { ...lower.support, ...defect.support };
    this.seed = seed;
    this.#defect = defect;
  }

  override open(): Promise<void> {
    return this.#defect.claims === "none" ? Promise.resolve() : super.open();
  }

  submit(io: Io): void {
    if (this.#defect.submit === undefined) this.pass(io);
    else this.#defect.submit(io, this);
  }

  pass(io: Io): void {
    if (io.op > Op.writeZeroes) refuse(io, this);
    else this.lower.submit(io);
  }

  /** An `Io` of the layer's own, with an action of its own to run at the end. */
  send(op: Op, offset: number, data: Uint8Array, ended: (io: Io) => void, flags = 0): void {
    const io = new Io(this.environment.runQueue).prepare(op, offset, data.length, data, 0, flags);
    io.wait(() => ended(io), null);
    this.lower.submit(io);
  }

  describe(): LayerDescription {
    return this.#defect.describe?.() ?? { driver: "defect", options: {}, lowers: [this.lower.describe()] };
  }
}

const nothing = new Uint8Array(0);
const dataOf = (io: Io): Uint8Array => io.data.subarray(io.dataOffset, io.dataOffset + io.length);
const isWrite = (io: Io): boolean => io.op === Op.write;
const flip = (bytes: Uint8Array): void => bytes.forEach((byte, index) => void (bytes[index] = byte ^ 0x55));

const when =
  (fits: (io: Io) => boolean, misbehave: (io: Io, layer: DefectLayer) => void) =>
  (io: Io, layer: DefectLayer): void => {
    if (fits(io)) misbehave(io, layer);
    else layer.pass(io);
  };

interface Broken {
  readonly what: string;
  readonly theme: Theme;
  readonly finding: RegExp;
  readonly defect: Defect;
  readonly lower?: Partial<LowerOptions>;
  readonly manifest?: Partial<Manifest>;
}

const BROKEN: readonly Broken[] = [
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
    what: "drops writes",
    theme: "contents",
    finding: /wrong byte|not what it should be/,
    defect: { submit: when(isWrite, (io) => io.complete()) },
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
    finding: /within 300 ms/,
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
  {
    what: "has none of the redundancy that its manifest promises",
    theme: "errors",
    finding: /CEV_DEVICE_LOST/,
    manifest: { canHideErrors: true, lostLowersMax: 1 },
    defect: {},
  },
  {
    what: "hangs when its lower is lost",
    theme: "errors",
    finding: /within 300 ms/,
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

async function findingsOf({ defect, lower, manifest, theme }: Broken): Promise<string[]> {
  const findings: string[] = [];
  const checks = conformanceChecks({
    name: "the broken layer",
    manifest: { support: FULL_SUPPORT, deadlineMs: 300, ...manifest },
    create: (bench) => {
      const below = bench.lower({ size: 65_536, ...lower });
      return new DefectLayer(below, bench.environment, defect, bench.isFirst ? 1 : 2);
    },
  });
  for (const check of checks.filter((one) => one.theme === theme)) {
    await check.run().catch((error: unknown) => findings.push(String(error)));
  }
  return findings;
}

describe("a layer that is broken is found, by the theme its defect belongs to:", () => {
  test.each(BROKEN)("it $what ($theme)", async (broken) => {
    const findings = await findingsOf(broken);
    expect(findings.join("\n")).toMatch(broken.finding);
  });

  test("and one that is not broken is not", async () => {
    for (const theme of ["contents", "errors", "durability", "completion", "zeroes"] as const)
      expect(await findingsOf({ what: "", theme, finding: /-/, defect: {} })).toEqual([]);
  });
});
