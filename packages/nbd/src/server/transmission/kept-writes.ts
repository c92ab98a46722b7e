import type { Request } from "./request.ts";

/** Who submitted the writes. */
export interface KeptWritesUser {
  /** It has ended with its burst. */
  writeEnded(request: Request): void;
  /** It goes on after its burst. */
  writeGoesOn(request: Request): void;
}

/** Writes that had not ended when `submit` returned, but may with their burst: only then is it known if the device ends them at once. */
export class KeptWrites {
  /** Bytes of all of them. */
  length = 0;
  readonly #user: KeptWritesUser;
  readonly #requests: Request[] = [];

  constructor(user: KeptWritesUser) {
    this.#user = user;
  }

  add(request: Request): void {
    request.keeping = "kept";
    this.#requests.push(request);
    this.length += request.length;
  }

  /** A request has ended. False: it is none of these. */
  noteEnd(request: Request): boolean {
    if (request.keeping !== "kept") return false;
    request.keeping = "ended";
    return true;
  }

  /** The burst is over. */
  settle(): void {
    const requests = this.#requests;
    for (let index = 0; index < requests.length; index++) {
      const request = requests[index]!;
      const { keeping } = request;
      request.keeping = "no";
      if (keeping === "ended") this.#user.writeEnded(request);
      else if (keeping === "kept") this.#user.writeGoesOn(request);
    }
    requests.length = 0;
    this.length = 0;
  }
}
