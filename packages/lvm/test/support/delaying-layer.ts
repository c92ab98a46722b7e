import { ioError } from "@cev/core";
import type { ErrorCode, Io } from "@cev/core";
import { ImageLayer } from "./image-layer.ts";

/** A device that, while it is told so, completes a request only when asked to. */
export class DelayingLayer extends ImageLayer {
  isDelaying = false;
  readonly held: Io[] = [];

  override submit(io: Io): void {
    if (this.isDelaying) this.held.push(io);
    else super.submit(io);
  }

  /** Does a request that is held, or ends it with an error. */
  finish(io: Io, code: ErrorCode | null = null): void {
    this.held.splice(this.held.indexOf(io), 1);
    if (code === null) super.submit(io);
    else io.complete(ioError(io, code, "made to fail", this.name));
  }
}
