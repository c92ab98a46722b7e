import { CevError } from "@cev/core";
import type { Environment } from "@cev/core";
import { tlsServer } from "../tls/upgrade.ts";
import type { TlsServer } from "../tls/upgrade.ts";
import type { TlsServerSettings } from "../tls/credentials.ts";
import type { NbdEvent } from "./events.ts";
import type { WatchTimes } from "./stall-watch.ts";
import type { RequestTrace } from "./transmission/trace.ts";
import { allocationContexts } from "./contexts/allocation.ts";
import type { ContextProvider } from "./contexts/context.ts";
import { holderContexts } from "./contexts/holder.ts";
import { ContextCatalog } from "./contexts/selected.ts";
import type { ExportOptions } from "./exports/export.ts";
import type { HandshakeSettings } from "./handshake/negotiation.ts";
import { BUSY_POLL_MAX_US, BUSY_POLL_US } from "../transport/busy-poll.ts";
import { PAYLOAD_LENGTH_PORTABLE } from "../protocol/numbers.ts";

/** Settings of an `NbdServer`. */
export interface NbdServerOptions {
  readonly environment: Environment;
  /** In the order of lists. */
  readonly exports: readonly ExportOptions[];
  /** Which export answers to the empty name; null: none. By default the first. */
  readonly defaultExport?: string | null;
  /** Whether clients may or have to encrypt. Default: they cannot. */
  readonly tls?: TlsServerSettings;
  /** The longest data of one request, in bytes. Default 32 MiB. */
  readonly payloadLengthMax?: number;
  /** Connections at a time; more are turned away. Default 1024. */
  readonly connectionsMax?: number;
  /** Requests under way per connection; more wait in the socket. Default 256. */
  readonly requestsMax?: number;
  /** Memory that the requests of a connection keep busy before no more are let in, in bytes. Default 64 MiB. */
  readonly bytesMax?: number;
  /** Bytes that may wait for a client to read them before no more requests of it are let in. Default 256 KiB. */
  readonly unsentMax?: number;
  /** Default 30 seconds. */
  readonly handshakeTimeoutMs?: number;
  /** Options that a client may send in its handshake, besides eight for each export. Default 1024. */
  readonly optionsMax?: number;
  /** What clients can ask for by block status besides holes (`base:allocation`) and disks (`x-cev:holder`). */
  readonly contexts?: readonly ContextProvider[];
  /** Memory that all connections may keep busy together, requests and buffers, in bytes. Default 512 MiB. */
  readonly memoryMax?: number;
  /** How long half a message may wait for its rest, and an answer for somebody to take it; 0: for ever. Default 60 seconds. */
  readonly messageTimeoutMs?: number;
  /** How long a client may do nothing in transmission before it is cut off; 0, the default: for ever. */
  readonly idleTimeoutMs?: number;
  /**
   * How long the process looks for the next message of clients before it sleeps, as long as messages do come so fast, in
   * microseconds; 0: never. Default 50. It makes answers to clients with few requests under way faster, for processor time.
   */
  readonly busyPollUs?: number;
  /** How long `close` lets clients take their last answers. Default 30 seconds. */
  readonly drainTimeoutMs?: number;
  /** Is told what happens, for logs. What it throws surfaces as an uncaught error. */
  readonly onEvent?: (event: NbdEvent) => void;
  /** Is told of each request when its answer has left. Requests cost more with it. */
  readonly onRequest?: (trace: RequestTrace) => void;
}

/** The options with their defaults, checked. */
export type ResolvedOptions = Required<
  Omit<
    NbdServerOptions,
    | "exports"
    | "defaultExport"
    | "optionsMax"
    | "contexts"
    | "tls"
    | "messageTimeoutMs"
    | "idleTimeoutMs"
    | "onRequest"
  >
> & {
  readonly handshake: HandshakeSettings;
  readonly tls: TlsServer | null;
  readonly times: WatchTimes;
  readonly onRequest: ((trace: RequestTrace) => void) | null;
};

const PREFERRED_MIN = 4096;
const MEMORY_DEFAULT = 536_870_912;

/** Throws `CEV_INVALID` for values that make no sense. */
export function resolveOptions(options: NbdServerOptions): ResolvedOptions {
  const { tls } = options;
  const tlsMode = tls?.mode ?? "off";
  return {
    environment: options.environment,
    payloadLengthMax: checkNumber("payloadLengthMax", options.payloadLengthMax ?? PAYLOAD_LENGTH_PORTABLE, {
      min: PREFERRED_MIN,
      max: 2 * PAYLOAD_LENGTH_PORTABLE,
    }),
    connectionsMax: checkNumber("connectionsMax", options.connectionsMax ?? 1024, { min: 1 }),
    requestsMax: checkNumber("requestsMax", options.requestsMax ?? 256, { min: 1 }),
    bytesMax: checkNumber("bytesMax", options.bytesMax ?? 2 * PAYLOAD_LENGTH_PORTABLE, { min: 1 }),
    unsentMax: checkNumber("unsentMax", options.unsentMax ?? 262_144, { min: 1 }),
    handshakeTimeoutMs: checkNumber("handshakeTimeoutMs", options.handshakeTimeoutMs ?? 30_000, { min: 1 }),
    handshake: {
      tls: tlsMode,
      canStartTls: true,
      contexts: new ContextCatalog([allocationContexts(), holderContexts(), ...(options.contexts ?? [])]),
      optionsMax: checkNumber("optionsMax", options.optionsMax ?? 1024, { min: 1 }),
    },
    tls: tls === undefined || tlsMode === "off" ? null : tlsServer(tls),
    memoryMax: checkNumber("memoryMax", options.memoryMax ?? MEMORY_DEFAULT, { min: 1 }),
    onRequest: options.onRequest ?? null,
    times: {
      messageTimeoutMs: checkNumber("messageTimeoutMs", options.messageTimeoutMs ?? 60_000, { min: 0 }),
      idleTimeoutMs: checkNumber("idleTimeoutMs", options.idleTimeoutMs ?? 0, { min: 0 }),
    },
    busyPollUs: checkNumber("busyPollUs", options.busyPollUs ?? BUSY_POLL_US, {
      min: 0,
      max: BUSY_POLL_MAX_US,
    }),
    drainTimeoutMs: checkNumber("drainTimeoutMs", options.drainTimeoutMs ?? 30_000, { min: 0 }),
    onEvent: options.onEvent ?? ((): void => {}),
  };
}

function checkNumber(
  name: string,
  value: number,
  { min, max = Number.MAX_SAFE_INTEGER }: { readonly min: number; readonly max?: number },
): number {
  if (Number.isSafeInteger(value) && value >= min && value <= max) return value;
  throw new CevError(
    "CEV_INVALID",
    `${name} is ${value}, and should be a whole number from ${min} to ${max}`,
  );
}
