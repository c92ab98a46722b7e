import type { LaterDriver } from "@cev/stack";

/**
 * The drivers of `@cev/test-kit`: slow, faulty and watching layers for stack files and running stacks. They are loaded when one is named,
 * and never tried on an image.
 */
export const KIT_DRIVERS: readonly LaterDriver[] = [
  {
    name: "@cev/test-kit/checking",
    load: async () => (await import("@cev/test-kit/checking")).checkingDriver,
  },
  {
    name: "@cev/test-kit/corruption",
    load: async () => (await import("@cev/test-kit/corruption")).corruptionDriver,
  },
  { name: "@cev/test-kit/fault", load: async () => (await import("@cev/test-kit/fault")).faultDriver },
  { name: "@cev/test-kit/no-op", load: async () => (await import("@cev/test-kit/no-op")).noOpDriver },
  { name: "@cev/test-kit/pause", load: async () => (await import("@cev/test-kit/pause")).pauseDriver },
  {
    name: "@cev/test-kit/power-cut",
    load: async () => (await import("@cev/test-kit/power-cut")).powerCutDriver,
  },
  { name: "@cev/test-kit/record", load: async () => (await import("@cev/test-kit/record")).recordDriver },
  {
    name: "@cev/test-kit/statistics",
    load: async () => (await import("@cev/test-kit/statistics")).statisticsDriver,
  },
  {
    name: "@cev/test-kit/throttle",
    load: async () => (await import("@cev/test-kit/throttle")).throttleDriver,
  },
];
