import type { TLSSocket } from "node:tls";
import { copyingSocket } from "./copying-socket.ts";
import { SocketTransport } from "./socket-transport.ts";
import type { Transport, TransportUser } from "./transport.ts";

/** A transport over a TLS connection whose handshake is over; `secure` has to be paused. Its end is told with close_notify. */
export function tlsTransport(secure: TLSSocket, user: TransportUser): Transport {
  return new SocketTransport(copyingSocket(secure, user), user);
}
