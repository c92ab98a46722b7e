import { Device } from "@cev/core";
import type { DeviceOptions } from "@cev/core";
import { FaultLayer, MemoryLayer, SimulatedWorld } from "@cev/test-kit";
import type { MemoryLayerOptions } from "@cev/test-kit";
import { Export } from "../../src/server/exports/export.ts";
import { expect } from "vitest";
import { FakeClient } from "./fake-client.ts";
import type { FakeClientOptions } from "./fake-client.ts";

/** A device in memory under simulated time, and clients of it. */
export interface Stack {
  readonly world: SimulatedWorld;
  readonly layer: MemoryLayer;
  /** Above it. */
  readonly faults: FaultLayer;
  readonly device: Device;
  readonly exports: Export[];
  connect(options?: FakeClientOptions): FakeClient;
}

export const STACK_SIZE = 1_048_576;

/** Bytes that tell where they lie. */
export function pattern(length: number, seed = 0): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let index = 0; index < length; index++) bytes[index] = index * 31 + (index >> 8) * 7 + seed;
  return bytes;
}

export async function makeStack(
  options: Partial<MemoryLayerOptions> & { readonly seed?: number; readonly device?: DeviceOptions } = {},
): Promise<Stack> {
  const world = new SimulatedWorld({ seed: options.seed ?? 1 });
  const { environment } = world;
  const size = options.size ?? STACK_SIZE;
  const layer = new MemoryLayer(environment, { contents: pattern(size), ...options, size });
  const faults = new FaultLayer(layer, environment);
  const device = await world.drive(Device.open(faults, environment, { name: "memory", ...options.device }));
  const exports = [
    new Export({ name: "disk", description: "a disk", device }),
    new Export({ name: "frozen", device, isReadOnly: true }),
  ];
  return {
    world,
    layer,
    faults,
    device,
    exports,
    connect: (clientOptions = {}) => new FakeClient(environment, exports, clientOptions),
  };
}

/** Closes, and shows that all memory went back. */
export async function endAll(stack: Stack, client: FakeClient): Promise<void> {
  client.transport.destroy();
  await stack.world.run();
  expect(client.settledCount).toBe(1);
  for (const pool of client.pools) pool.close();
  expect(stack.world.environment.buffers.bytesLent).toBe(0);
}
