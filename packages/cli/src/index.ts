export { main } from "./main.ts";
export { drawTree } from "./tree.ts";
export { standardDrivers } from "./standard-drivers.ts";
