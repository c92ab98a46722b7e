import type { Extent, ExtentsReport, Layer } from "@cev/core";
import type { Export } from "../exports/export.ts";
import { STATUS_EFFORT_MAX, addStatus } from "./context.ts";
import type { ContextProvider, MetaContext, StatusExtent, StatusQuery } from "./context.ts";

/** Bit of the status of `x-cev:holder`: the holder is not the only one that has these bytes, or from which they follow. */
export const HOLDER_HAS_COPIES = 0x8000_0000;

const NAMESPACE = "x-cev";
const LEAF = "holder";
// So that the whole name fits the protocol's 4096 bytes, in whatever script it is.
const NAME_LENGTH_MAX = 250;
const EXTENTS_MIN = 1024;

/**
 * The context `x-cev:holder`: on which disk of the stack the bytes lie. The status is the number of the disk, counted from 1 in the
 * order in which they stand in the stack, and 0 where none or several together hold them; `HOLDER_HAS_COPIES` is added where
 * there are more. `x-cev:holder=2:d1.img` is a context of its own for each disk: status 1 for what it holds. So a list of the
 * contexts shows what the numbers mean.
 */
export function holderContexts(report?: ExtentsReport): ContextProvider {
  const legends = new WeakMap<Export, Legend>();
  const legendOf = (target: Export): Legend => {
    let legend = legends.get(target);
    if (legend === undefined) legends.set(target, (legend = new Legend(target.device.layer)));
    return legend;
  };
  return {
    namespace: NAMESPACE,
    list(target, leaf) {
      const leaves = [LEAF, ...legendOf(target).leaves];
      return leaves.filter((one) => leaf === "" || one === leaf).map((one) => `${NAMESPACE}:${one}`);
    },
    find(target, leaf) {
      const legend = legendOf(target);
      if (leaf === LEAF) return holderOf(target, leaf, report, (extent) => legend.numberOf(extent));
      const index = legend.leaves.indexOf(leaf);
      if (index < 0) return null;
      return holderOf(target, leaf, report, ({ holder }) => (holder === legend.layers[index] ? 1 : 0));
    },
  };
}

function holderOf(
  target: Export,
  leaf: string,
  report: ExtentsReport | undefined,
  statusOf: (extent: Extent) => number,
): MetaContext {
  return {
    name: `${NAMESPACE}:${leaf}`,
    async status({ offset, length, countMax, isOne }: StatusQuery) {
      const wanted = isOne ? 1 : countMax;
      const found: StatusExtent[] = [];
      const extents = await target.device.extents(offset, length, {
        byHolder: true,
        // Neighbours that differ for the layers may be one here.
        countMax: Math.max(wanted, EXTENTS_MIN),
        effortMax: STATUS_EFFORT_MAX,
        ...(report === undefined ? {} : { report }),
      });
      for (const extent of extents) addStatus(found, { length: extent.length, status: statusOf(extent) });
      return found.slice(0, wanted);
    },
  };
}

/** Which number each disk has. Disks that join later are numbered as they are met. */
class Legend {
  readonly layers: Layer[] = [];
  readonly leaves: string[] = [];

  constructor(top: Layer) {
    for (const layer of disksOf(top)) this.#add(layer);
  }

  numberOf({ holder, hasCopies }: Extent): number {
    if (holder === null) return 0;
    let index = this.layers.indexOf(holder);
    if (index < 0) index = this.#add(holder);
    return hasCopies ? (HOLDER_HAS_COPIES | (index + 1)) >>> 0 : index + 1;
  }

  #add(layer: Layer): number {
    const index = this.layers.length;
    this.layers.push(layer);
    this.leaves.push(`${LEAF}=${index + 1}:${printable(nameOf(layer))}`);
    return index;
  }
}

/** The layers at the bottom, each once, and those that tell nothing of what is below them. */
function disksOf(layer: Layer, found = new Set<Layer>()): Set<Layer> {
  if (layer.runs === undefined || layer.lowers.length === 0) found.add(layer);
  else for (const lower of layer.lowers) disksOf(lower, found);
  return found;
}

/** A file's own name, without the folders; other disks are called what they are. */
function nameOf(layer: Layer): string {
  const { path } = layer.describe().options;
  if (typeof path !== "string") return layer.name;
  return path.split("/").findLast((part) => part !== "") ?? layer.name;
}

function printable(text: string): string {
  const escaped = text.replaceAll(
    /[\p{Cc}\p{Cs}\\]/gu,
    (char) => `\\u${char.codePointAt(0)!.toString(16).padStart(4, "0")}`,
  );
  return Array.from(escaped).slice(0, NAME_LENGTH_MAX).join("");
}
