export { FileLayer } from "./file-layer.ts";
export type { FileLayerSettings } from "./file-layer.ts";
export { fileDriver } from "./driver.ts";
export { fileOptions } from "./options.ts";
export type { FileOptions } from "./options.ts";
export { inspectFile } from "./file-facts.ts";
export type { FileFacts } from "./file-facts.ts";
export { systemCalls } from "./file-calls.ts";
export type { FileCalls } from "./file-calls.ts";
