import { Io, closeTree, openTree } from "@cev/core";
import type { ErrorCode, Op, Problem } from "@cev/core";
import { PowerCutLayer, SimulatedWorld } from "@cev/test-kit";
import { expect } from "vitest";
import type { NbdOptions } from "../../src/client/client-options.ts";
import { NbdLayer } from "../../src/client/nbd-layer.ts";
import type { Dialler } from "../../src/client/open-link.ts";
import type { RequestHead } from "../../src/protocol/request-head.ts";
import { ModelServer } from "./model-server.ts";
import type { ModelServerOptions } from "./model-server.ts";

export const MIB = 1_048_576;

/** A device over a model of a server. */
export interface Setting {
  readonly world: SimulatedWorld;
  readonly server: ModelServer;
  readonly disk: PowerCutLayer;
  readonly layer: NbdLayer;
  /** What the server was asked for, in its order. */
  readonly asked: RequestHead[];
  /** What the device has told. */
  readonly problems: Problem[];
  submit(op: Op, offset: number, length: number, data?: Uint8Array, flags?: number): Io;
  run(op: Op, offset: number, length: number, data?: Uint8Array, flags?: number): Promise<Io>;
  /** So much time goes by. */
  wait(ms: number): Promise<void>;
}

export async function opened(
  options: Partial<NbdOptions> = {},
  model: Partial<ModelServerOptions> & { readonly size?: number } = {},
  dialler: (dialler: Dialler) => Dialler = (same) => same,
): Promise<Setting> {
  const world = new SimulatedWorld({ seed: 5 });
  const { environment, random } = world;
  const disk = new PowerCutLayer(environment, { size: model.size ?? MIB });
  const asked: RequestHead[] = [];
  const problems: Problem[] = [];
  const server = new ModelServer({
    environment,
    random,
    layer: disk,
    ...model,
    errnoOf(head) {
      asked.push({ ...head });
      return model.errnoOf?.(head) ?? 0;
    },
  });
  const layer = await world.drive(
    NbdLayer.at(
      environment,
      { uri: "nbd://model/", ...options },
      { dialler: dialler(server.dialler), report: (problem) => problems.push(problem) },
    ),
  );
  await world.drive(openTree(layer));
  const submit: Setting["submit"] = (op, offset, length, data, flags = 0) => {
    const io = new Io(environment.runQueue).prepare(op, offset, length, data ?? null, 0, flags);
    layer.submit(io);
    return io;
  };
  const ended = (io: Io): Promise<Io> => new Promise((resolve) => void io.wait(() => resolve(io), null));
  return {
    ...{ world, server, disk, layer, asked, problems, submit },
    run: (op, offset, length, data, flags) => world.drive(ended(submit(op, offset, length, data, flags))),
    wait: (ms) => world.drive(new Promise<void>((resolve) => environment.clock.after(ms, resolve))),
  };
}

/** The codes with which requests have ended. */
export async function done(setting: Setting, ...ios: readonly Io[]): Promise<(ErrorCode | null)[]> {
  const ended = ios.map((io) => new Promise<void>((resolve) => void io.wait(() => resolve(), null)));
  await setting.world.drive(Promise.all(ended));
  return ios.map((io) => io.error?.code ?? null);
}

/** Closes it, and looks whether all memory came back. */
export async function end(setting: Setting): Promise<void> {
  await setting.world.drive(closeTree(setting.layer));
  await setting.world.run();
  expect(setting.world.environment.buffers.bytesLent).toBe(0);
}

export const filled = (length: number, value: number): Uint8Array => new Uint8Array(length).fill(value);
