import { LayerBase, IoFlag, Op, refuse, runOf } from "@cev/core";
import type { Environment, Io, LayerDescription, Limits, Problem, Run, Support } from "@cev/core";
import { AllocationFlag, TransmissionFlag } from "../protocol/numbers.ts";
import type { StatusExtent } from "../protocol/chunk.ts";
import { parseNbdUri, showNbdUri } from "../protocol/uri.ts";
import { BusyPoll } from "../transport/busy-poll.ts";
import { resolveNbdOptions } from "./client-options.ts";
import type { NbdOptions, ResolvedNbdOptions } from "./client-options.ts";
import { tlsSettingsOf } from "./client-tls.ts";
import { Link } from "./link.ts";
import { hasFlag, limitsOf, supportOf } from "./negotiated.ts";
import type { Negotiated } from "./negotiated.ts";
import { openChannel, socketDialler } from "./open-link.ts";
import type { Dialler } from "./open-link.ts";
import { Session } from "./session.ts";

/** Settings of an `NbdLayer` that are not the user's to make. */
export interface NbdLayerSettings {
  /** Relative paths of certificates and keys start here. Default: the current folder. */
  readonly directory?: string;
  /** The login name, for servers that know clients by names and keys. */
  readonly loginName?: string;
  /** Is told when the server is away, back again, or lost for good. */
  readonly report?: (problem: Problem) => void;
  /** The way to the server; by default over a socket of the system. */
  readonly dialler?: Dialler;
}

/**
 * An export of an NBD server as a device. After a lost connection it comes back and goes on as if nothing had been: what was
 * answered and flushed is never lost, and what was answered and not flushed is written again.
 */
export class NbdLayer extends LayerBase {
  readonly name = "nbd";
  readonly limits: Limits;
  readonly support: Support;
  /** For people: the URI without login names and files of keys. */
  readonly source: string;
  readonly isReadOnly: boolean;
  /** What the server says of the export; null: nothing. */
  readonly description: string | null;
  /** Whether the way there is secured. */
  readonly isTls: boolean;
  /** Connections at a time. */
  readonly connectionCount: number;
  readonly #environment: Environment;
  readonly #options: ResolvedNbdOptions;
  readonly #given: NbdOptions;
  readonly #expected: Negotiated;
  readonly #exportName: string;
  readonly #report: NbdLayerSettings["report"];
  readonly #dialler: Dialler;
  readonly #canZeroFast: boolean;
  #session: Session | null = null;

  /** Use `NbdLayer.at`. */
  private constructor(
    environment: Environment,
    given: NbdOptions,
    options: ResolvedNbdOptions,
    way: {
      readonly dialler: Dialler;
      readonly exportName: string;
      readonly report: NbdLayerSettings["report"];
    },
    expected: Negotiated,
  ) {
    super();
    this.#environment = environment;
    this.#given = given;
    this.#options = options;
    this.#expected = expected;
    this.#dialler = way.dialler;
    this.#exportName = way.exportName;
    this.#report = way.report;
    this.source = way.dialler.source;
    this.description = expected.description;
    this.isTls = expected.isTls;
    this.isReadOnly = options.readOnly || hasFlag(expected, TransmissionFlag.readOnly);
    this.limits = limitsOf(expected, options.unflushedMax / 2, this.source);
    this.support = supportOf(expected, this.isReadOnly);
    this.#canZeroFast = hasFlag(expected, TransmissionFlag.sendFastZero);
    this.connectionCount = hasFlag(expected, TransmissionFlag.canMultiConn) ? options.connections : 1;
  }

  /**
   * The layer of an export, after a look at it: the connection for that is closed again. Fails with `CEV_NOT_FOUND` (no server, no
   * export), `CEV_ACCESS`, `CEV_TIMED_OUT`, `CEV_PROTOCOL`, or `CEV_INVALID` for options that make no sense.
   */
  static async at(
    environment: Environment,
    given: NbdOptions,
    settings: NbdLayerSettings = {},
  ): Promise<NbdLayer> {
    const options = resolveNbdOptions(given);
    const uri = parseNbdUri(options.uri);
    const tls = await tlsSettingsOf(uri, options, settings);
    const dialler = settings.dialler ?? socketDialler(uri.address, showNbdUri(uri), tls);
    const { exportName } = uri;
    const request = { exportName, goal: "info" as const };
    const within = { timeoutMs: options.connectTimeoutMs };
    const { negotiated } = await openChannel(environment, dialler, request, within);
    return new NbdLayer(
      environment,
      given,
      options,
      { dialler, exportName, report: settings.report },
      negotiated,
    );
  }

  /** Connects. Fails as `at` does, and with `CEV_DEVICE_LOST` when the export is another one by now. */
  override async open(): Promise<void> {
    const options = this.#options;
    const environment = this.#environment;
    const request = { exportName: this.#exportName, goal: "go" as const };
    const busyPoll = new BusyPoll(environment, options.busyPollUs);
    const { requestsMax } = options;
    const session = new Session({
      environment,
      connect: async (user, signal) => {
        const within = { timeoutMs: options.connectTimeoutMs, signal };
        const { channel, negotiated } = await openChannel(environment, this.#dialler, request, within);
        const link = new Link(environment, channel, negotiated, { user, requestsMax, busyPoll });
        link.begin();
        return link;
      },
      connections: this.connectionCount,
      limits: this.limits,
      expected: this.#expected,
      keepsUnflushed: options.resume === "unflushed" && !this.isReadOnly,
      unflushedMax: options.unflushedMax,
      reconnectTimeoutMs: options.reconnectTimeoutMs,
      requestTimeoutMs: options.requestTimeoutMs,
      source: this.source,
      report: this.#report,
    });
    await session.open();
    this.#session = session;
  }

  submit(io: Io): void {
    const session = this.#session!;
    switch (io.op) {
      case Op.read:
        return session.submit(io);
      case Op.write:
        if (this.isReadOnly) return io.fail("CEV_READ_ONLY", "the export is read-only", this.name);
        return session.submit(io);
      case Op.flush:
        if (this.support.flush === "none") return refuse(io, this);
        return session.submit(io);
      case Op.discard:
        if (this.support.discard === "none") return refuse(io, this);
        return session.submit(io);
      case Op.writeZeroes:
        if (this.support.writeZeroes === "none") return refuse(io, this);
        if ((io.flags & IoFlag.fastZero) !== 0 && !this.#canZeroFast)
          return io.fail("CEV_NOT_SUPPORTED", "the server does not say whether zeroes are fast", this.name);
        return session.submit(io);
      default:
        return refuse(io, this);
    }
  }

  /** What the server says of holes and zeroes, where it does; all else is data. */
  async runs(offset: number, length: number, countMax: number): Promise<readonly Run[]> {
    const session = this.#session;
    if (session === null || this.#expected.allocationId === null) return runOf("data", length);
    const { logicalBlockSize, size } = this.limits;
    const start = offset - (offset % logicalBlockSize);
    const end = Math.min(size, Math.ceil((offset + length) / logicalBlockSize) * logicalBlockSize);
    // A request tells its length in 32 bits; whoever wants more asks again from there on.
    const asked = Math.min(end - start, STATUS_LENGTH_MAX);
    const extents = await session.status(start, asked);
    if (extents === null) return runOf("data", Math.min(length, start + asked - offset));
    return runsOf(extents, { before: offset - start, lengthMax: size - offset, countMax });
  }

  override async close(): Promise<void> {
    const session = this.#session;
    this.#session = null;
    await session?.close();
  }

  describe(): LayerDescription {
    return { driver: "@cev/nbd", options: { ...this.#given }, lowers: [] };
  }
}

const STATUS_LENGTH_MAX = 2 ** 31;

/** The server's extents as runs; the first `before` bytes were not asked for. */
function runsOf(
  extents: readonly StatusExtent[],
  {
    before,
    lengthMax,
    countMax,
  }: { readonly before: number; readonly lengthMax: number; readonly countMax: number },
): readonly Run[] {
  const runs: Run[] = [];
  let skip = before;
  let left = lengthMax;
  for (const { length, status } of extents) {
    const skipped = Math.min(skip, length);
    skip -= skipped;
    const part = Math.min(length - skipped, left);
    if (part === 0) continue;
    left -= part;
    runs.push(...runOf(contentOf(status), part));
    if (runs.length === countMax) break;
  }
  return runs.length === 0 ? runOf("data", lengthMax) : runs;
}

function contentOf(status: number): "hole" | "zeroes" | "discarded" | "data" {
  const isHole = (status & AllocationFlag.hole) !== 0;
  const isZero = (status & AllocationFlag.zero) !== 0;
  if (isZero) return isHole ? "hole" : "zeroes";
  return isHole ? "discarded" : "data";
}
