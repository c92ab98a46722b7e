export { driver } from "./driver.ts";
export { __CLASS__ } from "./layer.ts";
export { options } from "./options.ts";
export type { Options } from "./options.ts";
