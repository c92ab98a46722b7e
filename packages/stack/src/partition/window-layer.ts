import { LayerBase, CevError, Op, checkLimits, narrowSupport, refuse, runAsBelow } from "@cev/core";
import type { Claim, Claimant, Io, Layer, LayerDescription, Limits, Run, Support } from "@cev/core";

/** Which range of the lower a window shows, in bytes, and who claims the lower for it. */
export interface WindowOptions {
  readonly start: number;
  readonly length: number;
  /** Windows of one table share a claimant, so that all of them may be written at the same time. By default the window itself. */
  readonly claimant?: Claimant;
}

/** Shows one range of the layer below as a device of its own: a partition. */
export class WindowLayer extends LayerBase {
  readonly name: string;
  readonly limits: Limits;
  readonly support: Support;
  readonly #lower: Layer;
  readonly #start: number;
  readonly #claimant: Claimant;
  #claim: Claim | null = null;

  constructor(lower: Layer, name: string, options: WindowOptions) {
    super([lower]);
    checkWindow(lower, options);
    this.name = name;
    this.limits = checkLimits({ ...lower.limits, size: options.length });
    this.support = narrowSupport(lower.support, ["read", "write", "flush", "discard", "writeZeroes", "fua"]);
    this.#lower = lower;
    this.#start = options.start;
    this.#claimant = options.claimant ?? this;
  }

  override async open(): Promise<void> {
    const mode = this.support.write === "none" ? "read" : "write";
    this.#claim = this.#lower.claims.acquire(this.#claimant, mode, this.#lower.name);
  }

  submit(io: Io): void {
    switch (io.op) {
      case Op.read:
      case Op.write:
      case Op.discard:
      case Op.writeZeroes:
        io.pushAction(restoreOffset, this.#start);
        io.offset += this.#start;
        break;
      case Op.flush:
        break;
      default:
        return refuse(io, this);
    }
    this.#lower.submit(io);
  }

  runs(offset: number, length: number): readonly Run[] {
    return runAsBelow(this.#lower, this.#start + offset, length);
  }

  override async close(): Promise<void> {
    this.#claim?.release();
    this.#claim = null;
  }

  describe(): LayerDescription {
    return {
      driver: "window",
      options: { start: this.#start, length: this.limits.size },
      lowers: [this.#lower.describe()],
    };
  }
}

function restoreOffset(io: Io, start: number): void {
  io.offset -= start;
}

function checkWindow(lower: Layer, { start, length }: WindowOptions): void {
  const { size, logicalBlockSize } = lower.limits;
  if (start % logicalBlockSize !== 0 || length % logicalBlockSize !== 0) {
    throw new CevError(
      "CEV_INVALID",
      `bytes ${start} to ${start + length} are not whole blocks of ${logicalBlockSize} bytes`,
      { layer: lower.name },
    );
  }
  if (!(start >= 0 && length > 0 && start + length <= size)) {
    throw new CevError(
      "CEV_OUT_OF_RANGE",
      `bytes ${start} to ${start + length} are not within its ${size} bytes`,
      {
        layer: lower.name,
      },
    );
  }
}
