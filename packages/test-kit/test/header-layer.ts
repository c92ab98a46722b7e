import { FULL_SUPPORT, INTERFACE_VERSION, LayerBase, CevError, Op, readBytes, writeBytes } from "@cev/core";
import type { Driver, Environment, Io, Layer, LayerDescription, Limits, Support } from "@cev/core";
import type { TestBench } from "../src/index.ts";

const MAGIC = 0x6865_6164;
const BLOCK = 512;
const SIZE_FIRST = 16_384;
const START_DEFAULT = 8192;

/** What is wrong with one. Nothing: it is as it should be. */
export interface HeaderDefect {
  readonly losesOptions?: boolean;
  readonly describesLower?: boolean;
  readonly startsElsewhere?: boolean;
  readonly forgetsSize?: boolean;
  /** Its header stays behind the data that it had at first. */
  readonly growsOverHeader?: boolean;
  /** Before its size is durable. */
  readonly growsTooEarly?: boolean;
  /** That is none: it thinks for so many turns before it grows. */
  readonly growsAfterTurns?: number;
  readonly altersLimits?: boolean;
  /** One that it got in another name, as groups do for all their volumes. */
  readonly leaksClaims?: boolean;
  /** Its driver says that it was written for this version of the interface. */
  readonly interfaceVersion?: number;
  /** What it cannot read of its header is taken to be as usual. */
  readonly guesses?: boolean;
  readonly closesInSilence?: boolean;
}

/** A layer with a header in two blocks: one says how large it is, the other where its data begins. It can grow. */
export class HeaderLayer extends LayerBase {
  readonly name = "header";
  limits: Limits;
  readonly support: Support = FULL_SUPPORT;
  readonly lower: Layer;
  readonly environment: Environment;
  readonly start: number;
  readonly #headerAt: number;
  readonly #defect: HeaderDefect;

  private constructor(
    lower: Layer,
    environment: Environment,
    place: { start: number; size: number },
    defect: HeaderDefect,
  ) {
    super([lower]);
    this.lower = lower;
    this.environment = environment;
    this.start = place.start;
    this.limits = { ...lower.limits, size: place.size };
    this.#headerAt = headerOffset(defect);
    this.#defect = defect;
  }

  static async make(
    lower: Layer,
    environment: Environment,
    { start, isFirst }: { start: number; isFirst: boolean },
    defect: HeaderDefect = {},
  ): Promise<HeaderLayer> {
    const at = headerOffset(defect);
    if (isFirst) {
      await writeBytes(lower, environment, at, encoded(SIZE_FIRST), true);
      await writeBytes(lower, environment, at + BLOCK, encoded(start), true);
    }
    const size = decoded(await readBytes(lower, environment, at, BLOCK));
    const second = readBytes(lower, environment, at + BLOCK, BLOCK).then(decoded);
    const found = await (defect.guesses === true ? second.catch(() => START_DEFAULT / 2) : second);
    // Where the data begins is an option too, so that what is described can be wrong.
    return new HeaderLayer(
      lower,
      environment,
      { start: isFirst ? start : chosen(start, found), size },
      defect,
    );
  }

  override async open(): Promise<void> {
    await super.open();
    const claim = this.lower.claims.acquire({ name: "the headers" }, "read", this.lower.name);
    try {
      decoded(await readBytes(this.lower, this.environment, this.#headerAt, BLOCK));
      claim.release();
    } catch (error) {
      this.releaseLowers();
      if (this.#defect.leaksClaims !== true) claim.release();
      throw error;
    }
  }

  submit(io: Io): void {
    if (io.op !== Op.flush) {
      io.offset += this.start;
      io.pushAction(moveBack, this);
    }
    this.lower.submit(io);
  }

  async grow(size: number): Promise<number> {
    const { forgetsSize = false, growsTooEarly = false, growsAfterTurns = 0 } = this.#defect;
    for (let turns = 0; turns < growsAfterTurns; turns++)
      await new Promise<void>((resolve) => this.environment.later(resolve));
    if (!forgetsSize)
      await writeBytes(this.lower, this.environment, this.#headerAt, encoded(size), !growsTooEarly);
    if (this.#defect.altersLimits === true) Object.assign(this.limits, { size });
    else this.limits = { ...this.limits, size };
    return size;
  }

  override async close(): Promise<void> {
    try {
      await writeBytes(this.lower, this.environment, this.#headerAt + BLOCK, encoded(this.start), true);
    } catch (error) {
      if (this.#defect.closesInSilence !== true) throw error;
    } finally {
      await super.close();
    }
  }

  describe(): LayerDescription {
    if (this.#defect.describesLower === true) return this.lower.describe();
    const options = this.#defect.losesOptions === true ? {} : { start: this.start };
    return { driver: "header", options, lowers: [this.lower.describe()] };
  }
}

export function growHeader(layer: Layer): Promise<number> {
  if (!(layer instanceof HeaderLayer)) throw new Error("only a layer with a header grows");
  return layer.grow(2 * SIZE_FIRST);
}

export const createHeader =
  (defect: HeaderDefect) =>
  (bench: TestBench): Promise<Layer> =>
    HeaderLayer.make(
      bench.lower({ size: 65_536 }),
      bench.environment,
      { start: START_DEFAULT, isFirst: bench.isFirst },
      defect,
    );

/** Its driver: made from its description it need not look for where its data begins. */
export const headerDriver = (defect: HeaderDefect): Driver => ({
  name: "header",
  interfaceVersion: defect.interfaceVersion ?? INTERFACE_VERSION,
  summary: "a layer of the tests",
  options: { "~standard": { version: 1, vendor: "test", validate: (value) => ({ value }) } },
  optionsSchema: {},
  lowers: { countMin: 1, countMax: 1 },
  async open({ environment, options, lowers: [lower] }) {
    const { start = START_DEFAULT - 4096 } = options as { readonly start?: number };
    const moved = defect.startsElsewhere === true ? start + BLOCK : start;
    const layer = await HeaderLayer.make(lower!.layer, environment, { start: moved, isFirst: false }, defect);
    return [{ name: null, layer, state: "clean", details: {} }];
  },
});

function headerOffset({ growsOverHeader = false }: HeaderDefect): number {
  return growsOverHeader ? START_DEFAULT + SIZE_FIRST : 0;
}

function chosen(start: number, found: number): number {
  return start === START_DEFAULT ? found : start;
}

function encoded(value: number): Uint8Array {
  const bytes = new Uint8Array(BLOCK);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, MAGIC);
  view.setUint32(4, value);
  return bytes;
}

function decoded(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  if (view.getUint32(0) !== MAGIC) throw new CevError("CEV_BAD_METADATA", "there is no header");
  return view.getUint32(4);
}

function moveBack(io: Io, { start }: HeaderLayer): void {
  io.offset -= start;
}
