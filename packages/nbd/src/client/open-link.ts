import { CevError } from "@cev/core";
import type { Environment } from "@cev/core";
import type { Socket } from "node:net";
import { connectTo } from "../transport/connect.ts";
import { socketTransport } from "../transport/socket-transport.ts";
import type { Transport, TransportUser } from "../transport/transport.ts";
import type { TlsClientSettings } from "../tls/credentials.ts";
import { tlsClient } from "../tls/upgrade.ts";
import { Channel } from "./channel.ts";
import { askForList, shakeHands } from "./client-handshake.ts";
import type { HandshakeRequest, ListedExport } from "./client-handshake.ts";
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

/** Within which time, and until when. */
export interface Within {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

/** Connects and does the handshake, all within `timeoutMs`. Rejects with the reason of `signal` if that comes before. */
export function openChannel(
  environment: Environment,
  dialler: Dialler,
  request: Pick<HandshakeRequest, "exportName" | "goal">,
  within: Within,
): Promise<OpenedChannel> {
  const talk = async (channel: Channel, way: Way): Promise<OpenedChannel> => {
    const negotiated = await shakeHands(channel, { ...request, ...way });
    return { channel, negotiated };
  };
  return converse(environment, dialler, { talk, isLook: request.goal === "info" }, within);
}

/** What the server has. Connects for that, within `timeoutMs`, and closes the connection again. */
export function openList(
  environment: Environment,
  dialler: Dialler,
  within: Within,
): Promise<readonly ListedExport[]> {
  return converse(environment, dialler, { talk: askForList, isLook: true }, within);
}

type Way = Pick<HandshakeRequest, "source" | "startTls">;

/** What is done over a new connection. */
interface Talk<T> {
  readonly talk: (channel: Channel, way: Way) => Promise<T>;
  /** Afterwards it is closed. */
  readonly isLook: boolean;
}

async function converse<T>(
  environment: Environment,
  dialler: Dialler,
  { talk, isLook }: Talk<T>,
  { timeoutMs, signal }: Within,
): Promise<T> {
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
    const result = await talk(channel, { source, startTls });
    ending.signal.throwIfAborted();
    if (isLook) channel.finish();
    return result;
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
