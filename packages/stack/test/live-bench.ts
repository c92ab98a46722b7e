import { CompoundIoPool, LayerBase, Op, concatenate, refuse } from "@cev/core";
import type { Io, Layer, LayerDescription, Limits, Support } from "@cev/core";
import { MemoryLayer, NoOpLayer } from "@cev/test-kit";
import { onTestFinished } from "vitest";
import { openStack } from "../src/open-stack.ts";
import type { Stack } from "../src/stack.ts";
import type { AnyDriver, StackDescription } from "../src/index.ts";
import { driverOf, environment, passDriver, tailOf } from "./helpers.ts";

export const SIZE = 65_536;

/** Sends each half of a request to one of two disks. */
class PairLayer extends LayerBase {
  readonly name = "pair";
  readonly limits: Limits;
  readonly support: Support;
  readonly #pool = new CompoundIoPool(this);

  constructor(lowers: readonly Layer[]) {
    super(lowers);
    this.limits = lowers[0]!.limits;
    this.support = lowers[0]!.support;
  }

  submit(io: Io): void {
    if (io.op > Op.writeZeroes) return refuse(io, this);
    const compound = this.#pool.over(io, concatenate);
    const [first, second] = this.lowers;
    if (io.op === Op.flush) {
      compound.add(first!, Op.flush, 0, 0);
      compound.add(second!, Op.flush, 0, 0);
    } else {
      const half = io.length / 2;
      const { op, offset, data, dataOffset, flags } = io;
      compound.add(first!, op, offset, half, data, dataOffset, flags);
      compound.add(second!, op, offset + half, half, data, dataOffset + half, flags);
    }
    compound.submit();
  }

  describe(): LayerDescription {
    return { driver: "pair", options: {}, lowers: this.lowers.map((one) => one.describe()) };
  }
}

/** Keeps requests for as long as it is told to. */
export class HangingLayer extends NoOpLayer {
  isHanging = false;
  readonly #waiting: Io[] = [];

  override submit(io: Io): void {
    if (this.isHanging) this.#waiting.push(io);
    else super.submit(io);
  }

  goOn(): void {
    this.isHanging = false;
    for (const io of this.#waiting.splice(0)) super.submit(io);
  }
}

export interface Bench {
  readonly stack: Stack;
  readonly disks: readonly MemoryLayer[];
  /** Layers by what their entries say, in the order in which they were made. */
  readonly made: readonly NoOpLayer[];
}

export const filter: AnyDriver = { ...passDriver, name: "filter", isFilter: true };

export async function openBench(description?: StackDescription, isLive = true): Promise<Bench> {
  const disks = [0, 1].map(() => new MemoryLayer(environment, { size: SIZE }));
  const made: NoOpLayer[] = [];
  let failureCount = 0;
  const drivers = [
    { ...filter, open: filterOpen },
    driverOf({ name: "storing" }),
    driverOf({
      name: "spare",
      lowers: { countMin: 0, countMax: 0 },
      open: ({ options }) =>
        Promise.resolve([
          {
            name: null,
            layer: new MemoryLayer(environment, { size: (options as { size: number }).size }),
            state: "clean",
            details: {},
          },
        ]),
    }),
    driverOf({
      name: "short",
      isFilter: true,
      open: ({ lowers }) =>
        Promise.resolve([{ name: null, layer: tailOf(lowers[0]!.layer), state: "clean", details: {} }]),
    }),
    driverOf({
      name: "failing",
      isFilter: true,
      open: () => Promise.reject(new Error("not today")),
    }),
    driverOf({
      name: "once",
      open: ({ lowers }) => {
        if (++failureCount > 1) return Promise.reject(new Error("not twice"));
        return Promise.resolve([
          { name: null, layer: new NoOpLayer(lowers[0]!.layer), state: "clean", details: {} },
        ]);
      },
    }),
    driverOf({
      name: "pair",
      lowers: { countMin: 2, countMax: 2 },
      open: ({ lowers }) =>
        Promise.resolve([
          { name: null, layer: new PairLayer(lowers.map((one) => one.layer)), state: "clean", details: {} },
        ]),
    }),
  ];
  const usesDisks = description === undefined || JSON.stringify(description).includes("d0");
  const stack = await openStack(
    description ?? {
      devices: {
        top: { driver: "pair", members: ["d0", "d1"] },
      },
      exports: { out: "top" },
    },
    {
      environment,
      drivers,
      isLive,
      layers: usesDisks ? disks.map((layer, index) => ({ name: `d${index}`, layer })) : [],
    },
  );
  onTestFinished(() => stack.close());
  return { stack, disks, made };

  function filterOpen({ lowers }: Parameters<typeof filter.open>[0]): ReturnType<typeof filter.open> {
    const layer = new NoOpLayer(lowers[0]!.layer);
    made.push(layer);
    return Promise.resolve([{ name: null, layer, state: "clean", details: {} }]);
  }
}

export const namesOf = (stack: Stack): string[] =>
  stack
    .live!.tree()
    .devices.map(({ name, lowers }) => (lowers.length === 0 ? name : `${name} on ${lowers.join(", ")}`));
