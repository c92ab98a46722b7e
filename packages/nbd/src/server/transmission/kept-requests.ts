import { Command } from "../../protocol/numbers.ts";
import type { Request } from "./request.ts";

// So much of what was received at once is done and answered first: the client goes on while the rest is worked on. Reads take it
// longer: it has their data to receive.
const FIRST_WRITTEN_LENGTH = 32_768;
const FIRST_REPLY_LENGTH = 65_536;

/** Who submitted the requests. */
export interface KeptRequestsUser {
  /** It goes on after its burst. */
  requestGoesOn(request: Request): void;
  /** Some lie in the buffer of replies, and hold it: nothing more may be put there. */
  repliesGoOn(): void;
  /** It has ended with its burst. */
  requestEnded(request: Request): void;
  /** A read has ended so, but not well; a part of it may lie in the buffer of replies, which it holds. */
  requestFailed(request: Request): void;
}

/** Requests that had not ended when `submit` returned, but may with their burst: only then is it known if the device ends them at once. */
export class KeptRequests {
  #writtenLength = 0;
  /** Bytes behind the writer's position in which the replies of reads are to lie: nothing may be put or sent meanwhile. */
  replyLength = 0;
  readonly #user: KeptRequestsUser;
  readonly #requests: Request[] = [];

  constructor(user: KeptRequestsUser) {
    this.#user = user;
  }

  /** True when they should be ended, and answered, before more are looked at. */
  get areMany(): boolean {
    return this.#writtenLength >= FIRST_WRITTEN_LENGTH || this.replyLength >= FIRST_REPLY_LENGTH;
  }

  /** `replyLength`: what it takes of the buffer of replies. */
  add(request: Request, replyLength: number, hasEnded: boolean): void {
    request.keeping = hasEnded ? "ended" : "kept";
    this.#requests.push(request);
    if (request.command === Command.write) this.#writtenLength += request.length;
    this.replyLength += replyLength;
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
    const hasReplies = this.replyLength > 0;
    this.#writtenLength = 0;
    this.replyLength = 0;
    // Replies that lie where they are to be, in order; then those that keep their place to themselves; then what is put elsewhere.
    for (let index = 0; hasReplies && index < requests.length; index++) {
      const request = requests[index]!;
      if (request.keeping === "ended" && isInPlace(request) && request.io.error === null) this.#end(request);
    }
    let isHeld = false;
    for (let index = 0; index < requests.length; index++) {
      const request = requests[index]!;
      const { keeping } = request;
      if (keeping === "no" || !(keeping === "kept" || isInPlace(request))) continue;
      isHeld ||= isInPlace(request);
      request.keeping = keeping === "kept" ? "no" : "failed";
      if (keeping === "kept") this.#user.requestGoesOn(request);
      else request.shared!.retain();
    }
    if (isHeld) this.#user.repliesGoOn();
    for (let index = 0; index < requests.length; index++) {
      const request = requests[index]!;
      if (request.keeping !== "no") this.#end(request);
    }
    requests.length = 0;
  }

  #end(request: Request): void {
    const { keeping } = request;
    request.keeping = "no";
    if (keeping === "failed") this.#user.requestFailed(request);
    else this.#user.requestEnded(request);
  }
}

/** Its data is read right into the buffer of replies. */
function isInPlace({ command, shared }: Request): boolean {
  return command === Command.read && shared !== null;
}
