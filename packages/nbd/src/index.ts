export { NbdServer } from "./server/server.ts";
export type { CloseReport, NbdEvent, NbdServerOptions, Unflushed } from "./server/server-options.ts";
export { Export } from "./server/exports/export.ts";
export type { ExportOptions } from "./server/exports/export.ts";
export type { BlockSizes } from "./protocol/option-info.ts";
export { DEFAULT_PORT, listenOn, nbdUri } from "./transport/listen.ts";
export type { BoundAddress, TcpAddress, UnixAddress } from "./transport/listen.ts";
export type { ContextProvider, MetaContext, StatusExtent, StatusQuery } from "./server/contexts/context.ts";
