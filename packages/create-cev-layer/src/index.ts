export { STYLES, createLayer } from "./create-layer.ts";
export type { CreateLayerOptions, Style } from "./create-layer.ts";
export { Refusal } from "./refusal.ts";
export { versionsOf } from "./versions.ts";
export type { PackageManifest, Versions } from "./versions.ts";
