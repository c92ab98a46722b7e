import type { Buffer } from "node:buffer";
import { isCevError } from "@cev/core";
import { NbdLayer } from "../../src/client/nbd-layer.ts";
import { Chance } from "../client-streams/chance.ts";
import { StreamWorld } from "../client-streams/world.ts";
import { pattern } from "../support/stack.ts";
import { Load } from "./load.ts";
import { DISK_SIZE, isGood, makeScript } from "./script.ts";
import { ScriptedServer } from "./scripted-server.ts";

/** Timers that may ring before what waits has to have ended. */
const RINGS_MAX = 300;
/** Turns that a wait may take before it counts as endless. */
const TURNS_MAX = 100_000;

/** What a server did to the client, with how to repeat it. */
export class FoundFault extends Error {
  constructor(first: number, index: number, cause: unknown) {
    const what = cause instanceof Error ? cause.message : String(cause);
    const again = `again with --seed ${first + index} --count 1`;
    super(`stream ${index}: ${what}; ${again}`, { cause });
  }
}

export interface FuzzResult {
  /** Bytes that servers sent. */
  readonly bytes: number;
  /** Streams whose first handshake was good enough. */
  readonly openedCount: number;
  readonly doneCount: number;
  readonly failedCount: number;
  /** Connections, those after a loss included. */
  readonly connectionCount: number;
}

/** Who wants to know how far it is. */
export interface FuzzWatch {
  readonly onStream?: (index: number) => void;
  readonly onProgress?: (done: number) => void;
}

/** Servers from `seed` on, one seed each. Throws a `FoundFault` for the first one that is not borne as it should be. */
export async function fuzzClient(
  seed: number,
  count: number,
  { onStream = () => {}, onProgress = () => {} }: FuzzWatch = {},
): Promise<FuzzResult> {
  const world = new StreamWorld(seed);
  const contents = pattern(DISK_SIZE / 2);
  const disk = new Uint8Array(DISK_SIZE);
  const arena = Load.arena();
  const result = { bytes: 0, openedCount: 0, doneCount: 0, failedCount: 0, connectionCount: 0 };
  for (let index = 0; index < count; index++) {
    onStream(index);
    const chance = new Chance(seed + index);
    disk.fill(0).set(contents);
    const server = new ScriptedServer(world, makeScript(chance), disk, chance);
    try {
      const load = await useServer(world, server, arena, chance);
      if (world.alarmCount > 0) throw new Error(`${world.alarmCount} timers are left`);
      const { bytesLent } = world.environment.buffers;
      if (bytesLent > 0) throw new Error(`${bytesLent} bytes were not given back`);
      if (server.openCount > 0) throw new Error("a connection was left open");
      if (load !== null) {
        result.openedCount++;
        result.doneCount += load.doneCount;
        result.failedCount += load.failedCount;
      }
    } catch (error) {
      throw new FoundFault(seed, index, error);
    }
    result.bytes += server.bytesSent;
    result.connectionCount += server.connectionCount;
    if (index % 10_000 === 9999) onProgress(index + 1);
  }
  return result;
}

/** One device over one server, from its beginning to its end. Null: the server was not good enough for one. */
async function useServer(
  world: StreamWorld,
  server: ScriptedServer,
  arena: Buffer,
  chance: Chance,
): Promise<Load | null> {
  const layer = await openedLayer(world, server, chance);
  if (layer === null) return null;
  const isKnown = isGood(server.script);
  const load = new Load(world.environment, layer, arena, chance, (offset, length, data) => {
    const given = server.given.get(`${offset}:${length}`) ?? [];
    if (isKnown && !given.some((bytes) => data.equals(bytes)))
      load.problem ??= "a read brought other bytes than the server has";
  });
  while (load.askOne()) {
    if (chance.oneIn(3)) world.turn();
    if (chance.oneIn(6)) load.cancelOne();
  }
  await rest(world, () => load.isOver, 20);
  // Whatever is not answered by now never is: the server leaves.
  server.leave();
  await rest(world, () => load.isOver, RINGS_MAX);
  if (!load.isOver) throw new Error(`left without an end: ${load.waiting}`);
  await ended(world, layer.close());
  await drained(world, server);
  const problem = load.verdict();
  if (problem !== null) throw new Error(problem);
  return load;
}

async function openedLayer(
  world: StreamWorld,
  server: ScriptedServer,
  chance: Chance,
): Promise<NbdLayer | null> {
  const options = {
    uri: "nbd://script/",
    connections: chance.pick([1, 1, 2, 3]),
    requestsMax: chance.pick([1, 3, 64]),
    connectTimeoutMs: 1000,
    reconnectTimeoutMs: chance.pick([0, 1000, 5000]),
    requestTimeoutMs: chance.pick([0, 100, 300]),
    busyPollUs: chance.oneIn(16) ? 50 : 0,
    resume: chance.oneIn(2) ? ("unflushed" as const) : ("underWay" as const),
    unflushedMax: 1_048_576,
  };
  const layer = await ended(world, NbdLayer.at(world.environment, options, { dialler: server.dialler }));
  const opened =
    layer === null
      ? null
      : await ended(
          world,
          layer.open().then(() => layer),
        );
  if (opened === null) {
    server.leave();
    await drained(world, server);
  }
  return opened;
}

/** What comes of a promise, with time going on while nothing else does; null: an error of the world. */
async function ended<T>(world: StreamWorld, promise: Promise<T>): Promise<T | null> {
  const outcome: { isOver: boolean; value: T | null; error: unknown } = {
    isOver: false,
    value: null,
    error: null,
  };
  promise.then(
    (value) => Object.assign(outcome, { isOver: true, value }),
    (error: unknown) => Object.assign(outcome, { isOver: true, error }),
  );
  if (!(await rest(world, () => outcome.isOver, RINGS_MAX)))
    throw new Error("what was waited for never happens");
  const { value, error } = outcome;
  if (error instanceof Error && !(isCevError(error) && error.code !== "CEV_PROGRAM")) throw error;
  return value;
}

/** Lets turns pass, and time when nothing else goes on, until it is over. False: it is not, after so many timers. */
async function rest(world: StreamWorld, isOver: () => boolean, ringsMax: number): Promise<boolean> {
  let rings = 0;
  for (let turns = 0; turns < TURNS_MAX; turns++) {
    // As in an event loop: promises come before the next turn.
    await settled();
    if (isOver()) return true;
    if (!world.turn() && (rings++ === ringsMax || !world.ringNext())) return isOver();
  }
  throw new Error("it never ends");
}

/** All promises have gone as far as they can. */
function settled(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}

/** All connections are gone, and what they were told has been done. */
async function drained(world: StreamWorld, server: ScriptedServer): Promise<void> {
  if (!(await rest(world, () => server.openCount === 0 && world.alarmCount === 0, RINGS_MAX)))
    throw new Error("a connection or a timer is left");
}
