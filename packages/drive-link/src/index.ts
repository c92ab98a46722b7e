export { DriveLinkLayer } from "./drive-link-layer.ts";
export { driveLinkDriver } from "./driver.ts";
export { driveLinkOptions } from "./options.ts";
export type { DriveLinkOptions } from "./options.ts";
