import type { Io } from "@cev/core";
import type { MirrorLayer } from "./mirror-layer.ts";

/** Reads from the first image of a mirror. Where it cannot answer, another one is asked that is known to hold the same. */
export function readMirror(layer: MirrorLayer, io: Io): void {
  const [first] = layer.images;
  if (first !== null && first !== undefined) {
    io.pushAction(readEnded, layer);
    first.submit(io);
    return;
  }
  const index = nextImage(layer, io, 1);
  if (index < 0)
    return io.fail(
      "CEV_DEGRADED",
      "the first image is missing, and the others are not known to hold the same (the option force believes them)",
      layer.name,
    );
  readFrom(new ReadElsewhere(layer, index), io);
}

/** A read that another image than the first is asked for. */
class ReadElsewhere {
  readonly owner: MirrorLayer;
  index: number;

  constructor(owner: MirrorLayer, index: number) {
    this.owner = owner;
    this.index = index;
  }
}

/** The first image has answered; where it could not, the next that holds the same is asked. */
function readEnded(io: Io, layer: MirrorLayer): void {
  if (io.error !== null) retryFrom(io, layer, 1, null);
}

function readElsewhereEnded(io: Io, read: ReadElsewhere): void {
  if (io.error !== null) retryFrom(io, read.owner, read.index + 1, read);
}

function retryFrom(io: Io, layer: MirrorLayer, from: number, read: ReadElsewhere | null): void {
  if (io.isCancelRequested) return;
  const index = nextImage(layer, io, from);
  if (index < 0) return;
  io.restart();
  const next = read ?? new ReadElsewhere(layer, index);
  next.index = index;
  readFrom(next, io);
}

function readFrom(read: ReadElsewhere, io: Io): void {
  io.pushAction(readElsewhereEnded, read);
  read.owner.images[read.index]!.submit(io);
}

/** The next image that is there and may answer; -1: none. */
function nextImage(layer: MirrorLayer, io: Io, from: number): number {
  const { images, regionSize } = layer;
  const first = Math.floor(io.offset / regionSize);
  const last = Math.floor((io.offset + Math.max(1, io.length) - 1) / regionSize);
  if (!layer.canStandIn(first, last)) return -1;
  for (let index = from; index < images.length; index++) if (images[index] !== null) return index;
  return -1;
}
