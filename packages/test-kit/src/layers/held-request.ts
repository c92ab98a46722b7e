import { EventState, ioError } from "@cev/core";
import type { CancelTarget, ErrorCode, Io } from "@cev/core";

/** Who keeps requests for a while. */
export interface RequestHolder {
  readonly name: string;
  /** A request is not kept any more: it was cancelled, or ended with an error. */
  dropped(held: HeldRequest): void;
}

/** A request that a layer keeps for a while. It is let go once, or ends here: whichever comes first. */
export class HeldRequest implements CancelTarget {
  readonly name: string;
  readonly #holder: RequestHolder;
  #io: Io | null;

  constructor(io: Io, holder: RequestHolder) {
    this.name = holder.name;
    this.#holder = holder;
    this.#io = io;
    io.pushAction(passHeld, this);
  }

  /** To be let go; null: it has ended. */
  take(): Io | null {
    const io = this.#io;
    this.#io = null;
    return io?.state === EventState.pending ? io : null;
  }

  /** Once the holder has noted it: a request that was cancelled before it came here ends now. */
  begin(): void {
    if (this.#io?.isCancelRequested === true) this.onCancel();
  }

  end(code: ErrorCode, message: string): void {
    const io = this.take();
    if (io === null) return;
    this.#holder.dropped(this);
    io.complete(ioError(io, code, message, this.name));
  }

  onCancel(): void {
    this.end("CEV_CANCELLED", "cancelled while it was kept back");
  }
}

function passHeld(): void {
  // Only there so that whoever cancels the request finds it.
}
