import { UsageError } from "./usage-error.ts";

/** A host and a port to listen on. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

/** Reads HOST:PORT; addresses of IPv6 stand in brackets. */
export function parseListenAddress(text: string): ListenAddress {
  const match = /^(?:\[(?<v6>[0-9a-fA-F:.%\w]+)\]|(?<host>[^:[\]]+)):(?<port>\d{1,5})$/.exec(text);
  const { v6, host, port } = match?.groups ?? {};
  const name = v6 ?? host;
  if (name === undefined || Number(port) > 65_535) {
    throw new UsageError(`--listen takes HOST:PORT, such as 127.0.0.1:10809 or [::1]:10809, not ${text}`);
  }
  return { host: name, port: Number(port) };
}
