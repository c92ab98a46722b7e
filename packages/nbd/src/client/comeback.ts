import { CevError } from "@cev/core";
import type { Environment, Limits, Problem, Timer } from "@cev/core";
import { backoffMs } from "./backoff.ts";
import type { ClientCommand } from "./command.ts";
import type { Link, LinkUser } from "./link.ts";
import { differenceOf } from "./negotiated.ts";
import type { Negotiated } from "./negotiated.ts";

// A server that closes idle connections after so long is none that fails.
const STEADY_MS = 1000;

/** What connections are made from, and for how long one tries. */
export interface ComebackOptions {
  readonly environment: Environment;
  /** Makes one connection, up to the transmission; not any more once the signal comes, which has a `CevError` for its reason. */
  readonly connect: (user: LinkUser, signal: AbortSignal) => Promise<Link>;
  readonly connections: number;
  /** Of the device over it; what comes back has to fit. */
  readonly limits: Limits;
  /** What the device was made from; a connection that differs is another export. */
  readonly expected: Negotiated;
  readonly reconnectTimeoutMs: number;
  /** Is told when the server is away, back again, or lost for good. */
  readonly report?: ((problem: Problem) => void) | undefined;
  /** For errors. */
  readonly source: string;
}

/** Who wants connections. */
export interface ComebackUser extends LinkUser {
  /** All are there. */
  cameBack(links: Link[]): void;
  /** They are not, and nobody tries any more. */
  gaveUp(error: CevError): void;
}

/** Makes the connections of a session, and makes them again when they are lost: with longer and longer pauses, up to a limit. */
export class Comeback {
  readonly #options: ComebackOptions;
  readonly #user: ComebackUser;
  #deadline: Timer | null = null;
  #retry: Timer | null = null;
  #attemptIndex = 0;
  /** Without a connection, since all was well last. */
  #awayMs = 0;
  #awaySince = 0;
  /** Since when there are connections that are used; infinite: there are none. */
  #upSince = Infinity;
  #isSought = false;
  /** Somebody was told that it is away, and not yet that it is back. */
  #isToldAway = false;
  /** Ends the attempt that runs. */
  #ending = new AbortController();
  #error: CevError;

  constructor(options: ComebackOptions, user: ComebackUser) {
    this.#options = options;
    this.#user = user;
    this.#error = new CevError("CEV_DEVICE_LOST", "the server is lost", { source: options.source });
  }

  /** All connections, or none. */
  async connectAll(): Promise<Link[]> {
    const { connections, connect, expected, limits, source } = this.#options;
    const links: Link[] = [];
    const attempt = new Attempt(this.#user, links);
    const ending = new AbortController();
    this.#ending = ending;
    try {
      while (links.length < connections) {
        const link = await connect(attempt, ending.signal);
        links.push(link);
        const difference = differenceOf(expected, link.negotiated, limits);
        if (difference !== null) throw new OtherExportError(difference, source);
        if (attempt.error !== null) throw attempt.error;
      }
    } catch (error) {
      attempt.isGivenUp = true;
      for (const link of links) link.disconnect();
      throw error;
    }
    attempt.isTaken = true;
    return links;
  }

  /**
   * Begins to seek, because of this. Only the time without a connection counts: a slow disk is waited for. `wasWell`: nothing
   * that had been lost before was still unanswered.
   */
  begin(error: CevError, wasWell: boolean): void {
    const { environment, reconnectTimeoutMs } = this.#options;
    if (wasWell && environment.clock.now() - this.#upSince >= STEADY_MS) this.isWell();
    this.#upSince = Infinity;
    this.#error = error;
    this.#isSought = true;
    if (reconnectTimeoutMs === 0) return this.#giveUp(error);
    if (this.#attemptIndex === 0) {
      this.#isToldAway = true;
      this.#tell("warning", `the server is away, and waited for: ${error.message}`);
    }
    this.#awaySince = environment.clock.now();
    const leftMs = Math.max(0, reconnectTimeoutMs - this.#awayMs);
    this.#deadline = environment.clock.after(leftMs, () => this.#giveUp(this.#error));
    this.#tryLater();
  }

  /** The connections are used from now on. */
  isUp(): void {
    this.#upSince = this.#options.environment.clock.now();
    if (this.#isToldAway) this.#tell("warning", "the server is back");
    this.#isToldAway = false;
  }

  /** What was lost is answered: the next loss begins anew. */
  isWell(): void {
    this.#attemptIndex = 0;
    this.#awayMs = 0;
  }

  /** Nobody wants connections any more. */
  stop(): void {
    this.#isSought = false;
    this.#ending.abort(new CevError("CEV_CANCELLED", "no connection is wanted any more"));
    this.#deadline?.cancel();
    this.#retry?.cancel();
    this.#deadline = this.#retry = null;
  }

  /** It is lost for good. */
  tellLost(why: string): void {
    this.#tell("error", `the server is lost for good: ${why}`);
  }

  #tell(severity: Problem["severity"], message: string): void {
    const { report, source } = this.#options;
    report?.({ severity, code: "CEV_DEVICE_LOST", message: `${source}: ${message}` });
  }

  #tryLater(): void {
    const { environment } = this.#options;
    const byte = new Uint8Array(1);
    environment.random(byte);
    const delayMs = backoffMs(this.#attemptIndex++, byte[0]!);
    this.#retry = environment.clock.after(delayMs, () => {
      this.#retry = null;
      void this.#try();
    });
  }

  async #try(): Promise<void> {
    let links: Link[];
    try {
      links = await this.connectAll();
    } catch (error) {
      if (!this.#isSought) return;
      if (error instanceof OtherExportError) return this.#giveUp(error);
      // Whatever a certificate that was replaced, or the platform, throws besides: it may be another the next time.
      this.#error = error instanceof CevError ? error : unexpected(error, this.#options.source);
      return this.#tryLater();
    }
    if (!this.#isSought) {
      for (const link of links) link.disconnect();
      return;
    }
    this.stop();
    this.#awayMs += this.#options.environment.clock.now() - this.#awaySince;
    this.#user.cameBack(links);
  }

  #giveUp(error: CevError): void {
    this.stop();
    this.#user.gaveUp(error);
  }
}

/** Connections that are being made: one that breaks before all are there ends the attempt, and not the session. */
class Attempt implements LinkUser {
  error: CevError | null = null;
  isTaken = false;
  isGivenUp = false;
  readonly #user: LinkUser;
  readonly #links: Link[];

  constructor(user: LinkUser, links: Link[]) {
    this.#user = user;
    this.#links = links;
  }

  answered(link: Link, command: ClientCommand): void {
    this.#user.answered(link, command);
  }

  freed(link: Link): void {
    this.#user.freed(link);
  }

  heard(link: Link): void {
    this.#user.heard(link);
  }

  abandoned(command: ClientCommand): void {
    this.#user.abandoned(command);
  }

  lost(link: Link, error: CevError): void {
    if (this.isTaken) return this.#user.lost(link, error);
    this.error ??= error;
    const index = this.#links.indexOf(link);
    if (!this.isGivenUp && index >= 0) this.#links.splice(index, 1);
  }
}

function unexpected(cause: unknown, source: string): CevError {
  const message = cause instanceof Error ? cause.message : String(cause);
  return new CevError("CEV_IO", `cannot connect: ${message}`, { source, cause });
}

/** What came back is not what was there. */
class OtherExportError extends CevError {
  constructor(difference: string, source: string) {
    super("CEV_DEVICE_LOST", `it came back as another export: ${difference}`, { source });
  }
}
