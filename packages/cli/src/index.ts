export { main } from "./main.ts";
export { standardDrivers } from "./standard-drivers.ts";
