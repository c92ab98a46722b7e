import { CevError, LayerBase, closeTree, isCevError, openTree, runAsBelow } from "@cev/core";
import type { Io, Layer, LayerDescription, Limits, OpenedDevice, Run, Support } from "@cev/core";
import type { GroupParts } from "./group-parts.ts";

/** What another driver is asked to make of some volumes. */
export interface EngineRequest {
  /** Name of the driver, which is that of its package. */
  readonly driver: string;
  /** What is to be opened, for people: "vg0/root". */
  readonly what: string;
  readonly options: unknown;
  readonly lowers: readonly EngineLower[];
  /** How many devices it is to yield. */
  readonly deviceCount: number;
}

/** One volume that an engine stands on. */
export interface EngineLower {
  readonly name: string;
  readonly layer: Layer;
  /** The same to be read only, while the engine looks at its metadata; the layer itself where it cannot be written anyway. */
  readonly preview: Layer;
}

/**
 * Opens devices with another driver of the stack. What it stands on is open only while the driver looks at it, and
 * read-only: nothing is written before the volume itself is opened.
 */
export async function openEngine(
  { openWith, report }: GroupParts,
  { driver, what, options, lowers, deviceCount }: EngineRequest,
): Promise<readonly OpenedDevice[]> {
  if (openWith === null)
    throw new CevError("CEV_UNKNOWN_FEATURE", `${what} cannot be opened: that needs ${driver}`, {
      hint: `open it with @cev/stack, with ${driver} installed`,
    });
  const opened: Layer[] = [];
  try {
    for (const { preview } of lowers) {
      await openTree(preview);
      opened.push(preview);
    }
    const previews = lowers.map(({ name, layer, preview }) => ({
      name,
      layer: layer === preview ? layer : new PreviewedLayer(layer, preview),
    }));
    const devices = await openWith(driver, {
      options,
      lowers: previews,
      report: (problem) => report({ ...problem, device: what }),
    });
    if (devices.length !== deviceCount)
      throw new CevError(
        "CEV_PROGRAM",
        `${driver} made ${devices.length} devices of ${what}, not ${deviceCount}`,
      );
    for (const { layer } of previews) if (layer instanceof PreviewedLayer) layer.endPreview();
    return devices;
  } catch (error) {
    if (!isCevError(error)) throw error;
    throw new CevError(error.code, `${what} cannot be opened: ${error.message}`, {
      ...error.place,
      cause: error,
    });
  } finally {
    for (const layer of opened.reverse()) await closeTree(layer);
  }
}

/** Stands below an engine: reads from the preview until the engine has been made, and then is the layer itself. */
class PreviewedLayer extends LayerBase {
  readonly name: string;
  readonly limits: Limits;
  readonly support: Support;
  readonly #lower: Layer;
  #target: Layer;

  constructor(lower: Layer, preview: Layer) {
    super([lower]);
    this.name = lower.name;
    this.limits = lower.limits;
    this.support = lower.support;
    this.#lower = lower;
    this.#target = preview;
  }

  endPreview(): void {
    this.#target = this.#lower;
  }

  submit(io: Io): void {
    this.#target.submit(io);
  }

  runs(offset: number, length: number): readonly Run[] {
    return runAsBelow(this.#lower, offset, length);
  }

  describe(): LayerDescription {
    return this.#lower.describe();
  }
}
