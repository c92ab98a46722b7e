import { CevError } from "@cev/core";
import type { Environment } from "@cev/core";
import type { Socket } from "node:net";
import { connectTo } from "../transport/connect.ts";
import { socketTransport } from "../transport/socket-transport.ts";
import type { Transport, TransportUser } from "../transport/transport.ts";
import type { TlsClientSettings } from "../tls/credentials.ts";
import { tlsClient } from "../tls/upgrade.ts";
import { Channel } from "./channel.ts";
import { shakeHands } from "./client-handshake.ts";
import type { HandshakeRequest } from "./client-handshake.ts";
import type { Negotiated } from "./negotiated.ts";

/** The way to a server. */
export interface Dialler {
  /** For errors. */
  readonly source: string;
  connect(user: TransportUser, signal: AbortSignal): Promise<Transport>;
  /** Puts TLS over a socket; null: connections stay plain. */
  readonly secure: ((socket: Socket, user: TransportUser) => Promise<Transport>) | null;
}

/** The way over a socket of the system. */
export function socketDialler(
  address: { readonly path: string } | { readonly host: string; readonly port: number },
  source: string,
  tls: TlsClientSettings | null,
): Dialler {
  return {
    source,
    connect: async (user, signal) => socketTransport(await connectTo(address, signal), user),
    secure: tls === null ? null : async (socket, user) => (await tlsClient(socket, tls, user)).transport,
  };
}

/** A channel after its handshake. */
export interface OpenedChannel {
  readonly channel: Channel;
  readonly negotiated: Negotiated;
}

/** Connects and does the handshake, all within `timeoutMs`. Rejects with the reason of `signal` if that comes before. */
export async function openChannel(
  environment: Environment,
  dialler: Dialler,
  request: Pick<HandshakeRequest, "exportName" | "goal">,
  { timeoutMs, signal }: { readonly timeoutMs: number; readonly signal?: AbortSignal },
): Promise<OpenedChannel> {
  const { source, secure } = dialler;
  const channel = new Channel(environment);
  const ending = new AbortController();
  let isConnected = false;
  const end = (reason: CevError): void => {
    ending.abort(reason);
    channel.destroy(reason);
  };
  const late = (): void => end(lateError(isConnected, timeoutMs, source));
  const given = (): void => end(signal!.reason as CevError);
  const timer = environment.clock.after(timeoutMs, late);
  signal?.addEventListener("abort", given, { once: true });
  try {
    channel.carryBy(await dialler.connect(channel, ending.signal));
    isConnected = true;
    ending.signal.throwIfAborted();
    const startTls = secure === null ? null : () => beginTls(channel, secure);
    const negotiated = await shakeHands(channel, { ...request, source, startTls });
    ending.signal.throwIfAborted();
    if (request.goal === "info") channel.finish();
    return { channel, negotiated };
  } catch (error) {
    channel.destroy(new CevError("CEV_DEVICE_LOST", "the handshake has failed"));
    // What fails because it was ended fails in many ways.
    throw withSource(ending.signal.aborted ? ending.signal.reason : error, source);
  } finally {
    timer.cancel();
    signal?.removeEventListener("abort", given);
  }
}

function lateError(isConnected: boolean, timeoutMs: number, source: string): CevError {
  if (!isConnected) return new CevError("CEV_TIMED_OUT", `no connection within ${timeoutMs} ms`, { source });
  return new CevError("CEV_TIMED_OUT", `no handshake within ${timeoutMs} ms`, {
    source,
    hint: "is the server busy with another client? some take one at a time (qemu-nbd without -e)",
  });
}

async function beginTls(channel: Channel, secure: NonNullable<Dialler["secure"]>): Promise<void> {
  const socket = channel.giveAway();
  if (socket === null) throw new CevError("CEV_NOT_SUPPORTED", "this stream cannot carry TLS");
  channel.carryBy(await secure(socket, channel));
}

/** The connection itself does not know where it leads. */
function withSource(error: unknown, source: string): unknown {
  if (!(error instanceof CevError) || error.place.source !== undefined) return error;
  return new CevError(error.code, error.message, { ...error.place, source, cause: error });
}
