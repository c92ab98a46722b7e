export { NbdServer } from "./server.ts";
export type { CloseReport, NbdEvent, NbdServerOptions, Unflushed } from "./options.ts";
export { Export } from "./exports.ts";
export type { BlockSizes, ExportOptions } from "./exports.ts";
export { DEFAULT_PORT, listenOn, nbdUri } from "./addresses.ts";
export type { BoundAddress, TcpAddress, UnixAddress } from "./addresses.ts";
