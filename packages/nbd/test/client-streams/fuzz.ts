import { Buffer } from "node:buffer";
import { Command } from "../../src/protocol/numbers.ts";
import type { Export } from "../../src/server/exports/export.ts";
import { FakeClient } from "../support/fake-client.ts";
import { pattern } from "../support/stack.ts";
import { Chance } from "./chance.ts";
import { StreamMaker } from "./stream.ts";
import { StreamWorld } from "./world.ts";

/** How often the neighbour is looked after. */
const NEIGHBOUR_EVERY = 100;

/** What a stream did to the server, with how to repeat it. */
export class FoundFault extends Error {
  constructor(first: number, index: number, bytes: Buffer, cause: unknown) {
    const what = cause instanceof Error ? cause.message : String(cause);
    const again = `again with --seed ${first} --count ${index + 1}, perhaps with --seed ${first + index} --count 1`;
    super(`${what}; ${again}\n${bytes.toString("hex")}`, { cause });
  }
}

/** Streams from `seed` on, one seed each. Throws a `FoundFault` for the first one that is not borne as it should be. */
export async function fuzzStreams(
  seed: number,
  count: number,
  onProgress: (done: number) => void = () => {},
): Promise<{ readonly bytes: number; readonly repliedCount: number }> {
  const world = new StreamWorld(seed);
  const groups = await world.exports();
  const neighbours = groups.map((exports) => new FakeClient(world.environment, exports).enter("disk"));
  const { buffers } = world.environment;
  const maker = new StreamMaker();
  let bytes = 0;
  let repliedCount = 0;
  for (let index = 0; index < count; index++) {
    const chance = new Chance(seed + index);
    const which = chance.below(groups.length);
    const stream = maker.make(chance);
    bytes += stream.length;
    // The neighbours' own memory comes and goes as well, though not meanwhile.
    const lentBefore = buffers.bytesLent;
    try {
      const answered = await serveStream(world, groups[which]!, stream, chance);
      // More than the greeting.
      if (answered > 18) repliedCount++;
      if (buffers.bytesLent !== lentBefore)
        throw new Error(`${buffers.bytesLent - lentBefore} bytes were not given back`);
      if (index % NEIGHBOUR_EVERY === 0) await expectUnharmed(world, neighbours[which]!, index);
    } catch (error) {
      throw new FoundFault(seed, index, stream, error);
    }
    if (index % 10_000 === 9999) onProgress(index + 1);
  }
  return { bytes, repliedCount };
}

/** Gives one stream to a connection of its own, ends it in some way, and shows that nothing of it is left. */
async function serveStream(
  world: StreamWorld,
  exports: readonly Export[],
  stream: Buffer,
  chance: Chance,
): Promise<number> {
  const client = new FakeClient(world.environment, exports, {
    messageTimeoutMs: 1000,
    requestsMax: chance.pick([1, 3, 256, 256]),
    unsentMax: chance.pick([1, 50_000, 262_144]),
  });
  client.transport.isReader = !chance.oneIn(4);
  const pieceMax = chance.oneIn(3) ? 1 + chance.below(40) : stream.length;
  for (let at = 0; at < stream.length; at += pieceMax) {
    client.send(stream.subarray(at, at + pieceMax));
    if (chance.oneIn(3)) world.run();
  }
  world.run();
  while (client.transport.drainOnce()) world.run();
  const ending = chance.below(8);
  if (ending < 3) client.connection.ended();
  else if (ending === 3) client.connection.drain();
  else if (ending === 4) world.ring();
  world.run();
  while (client.transport.drainOnce()) world.run();
  const isAsked = ending < 4;
  // Those that were asked to end do so by themselves once their client reads.
  if (isAsked && !(await world.until(() => isOver(client))))
    throw new Error("it was asked to end, and did not");
  client.transport.destroy();
  if (!(await world.until(() => client.settledCount === 1))) throw new Error("the connection never settles");
  if (client.closedCount !== 1) throw new Error(`it was closed ${client.closedCount} times`);
  const answered = client.received().length;
  for (const pool of client.pools) pool.close();
  return answered;
}

function isOver(client: FakeClient): boolean {
  while (client.transport.drainOnce()) continue;
  return client.transport.isEnded || client.transport.isDestroyed;
}

/** The others on the same device are served as if they were alone. */
async function expectUnharmed(world: StreamWorld, neighbour: FakeClient, round: number): Promise<void> {
  const payload = pattern(4096, round);
  const offset = 4096 * (round % 200);
  neighbour.request({ command: Command.write, cookie: 1, offset, payload });
  world.run();
  neighbour.request({ command: Command.read, cookie: 2, offset, length: payload.length });
  world.run();
  const replies = neighbour.replies();
  const [written, read] = replies;
  if (
    replies.length !== 2 ||
    written!.error !== 0 ||
    read!.error !== 0 ||
    Buffer.compare(read!.data, payload) !== 0
  )
    throw new Error("the neighbour was not served");
}
