export { driver } from "./driver.ts";
export { findHeader } from "./find-header.ts";
export { decodeHeader, encodeHeader, planHeader } from "./header.ts";
export type { Header } from "./header.ts";
export { ChecksumLayer } from "./layer.ts";
export type { LayerOptions } from "./layer.ts";
export { options } from "./options.ts";
export type { CreateOptions, Options } from "./options.ts";
