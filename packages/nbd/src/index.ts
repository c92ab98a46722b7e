export { NbdServer } from "./server/server.ts";
export type { CloseReport, NbdEvent, NbdServerOptions, Unflushed } from "./server/server-options.ts";
export { Export } from "./server/exports/export.ts";
export type { BlockSizes, ExportOptions } from "./server/exports/export.ts";
export { DEFAULT_PORT, listenOn, nbdUri } from "./transport/listen.ts";
export type { BoundAddress, TcpAddress, UnixAddress } from "./transport/listen.ts";
