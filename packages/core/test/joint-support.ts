import { Io, JointLayer, LayerBase, Op, environmentFrom, openTree } from "../src/index.ts";
import type { Environment, Layer, LayerDescription, Limits, Support } from "../src/index.ts";

export const SIZE = 65_536;
export const environment: Environment = environmentFrom(globalThis);

/** Passes everything on; knows whether it is open, and may fail to become so. */
export class PassLayer extends LayerBase {
  readonly name = "pass";
  readonly limits: Limits;
  readonly support: Support;
  isOpen = false;
  submitCount = 0;
  openError: Error | null = null;
  readonly #lower: Layer;

  constructor(lower: Layer) {
    super([lower]);
    this.limits = lower.limits;
    this.support = lower.support;
    this.#lower = lower;
  }

  override async open(): Promise<void> {
    if (this.openError !== null) throw this.openError;
    await super.open();
    this.isOpen = true;
  }

  submit(io: Io): void {
    if (!this.isOpen) throw new Error("a request came to a layer that is closed");
    this.submitCount++;
    this.#lower.submit(io);
  }

  override async close(): Promise<void> {
    this.isOpen = false;
    await super.close();
  }

  describe(): LayerDescription {
    return { driver: "pass", options: {}, lowers: [this.#lower.describe()] };
  }
}

/** Turns of the event loop, so that what was begun gets on. */
export async function turns(count = 3): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
}

export function newRequest(op: Op, offset = 0, length = 4096, flags = 0): Io {
  const data = op <= Op.write ? new Uint8Array(length).fill(7) : null;
  return new Io(environment.runQueue).prepare(op, offset, length, data, 0, flags);
}

export async function openJoint(below: Layer): Promise<JointLayer> {
  const joint = new JointLayer(below, { environment });
  await openTree(joint);
  return joint;
}

/** Puts a layer between a joint and what it stands on. Returns it. */
export async function insert(joint: JointLayer, make: (lower: Layer) => PassLayer): Promise<PassLayer> {
  const under = new JointLayer(joint.below, { environment, claimant: joint.claimant });
  const layer = make(under);
  await joint.quiesce((swap) => swap.over(layer));
  return layer;
}

/** Takes out what stands directly below a joint. */
export async function takeOut(joint: JointLayer): Promise<void> {
  const under = joint.below.lowers[0] as JointLayer;
  await joint.quiesce((swap) => swap.over(under.below));
}
