export { RamdiskLayer } from "./ramdisk-layer.ts";
export { ramdiskDriver } from "./driver.ts";
export { ramdiskOptions } from "./options.ts";
export type { RamdiskOptions } from "./options.ts";
