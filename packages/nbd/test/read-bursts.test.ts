import { Buffer } from "node:buffer";
import { Device, LayerBase, Op, ioError } from "@cev/core";
import type { BurstUser, Environment, Io, Layer, LayerDescription } from "@cev/core";
import { MemoryLayer, SimulatedWorld } from "@cev/test-kit";
import fc from "fast-check";
import { beforeEach, expect, test } from "vitest";
import { Command, NbdErrno } from "../src/protocol/numbers.ts";
import { Export } from "../src/server/exports/export.ts";
import { FakeClient } from "./support/fake-client.ts";
import type { FakeClientOptions } from "./support/fake-client.ts";
import { request } from "./support/messages.ts";
import type { Reply } from "./support/messages.ts";
import { STACK_SIZE, pattern } from "./support/stack.ts";

const PAGE = 4096;
// Below it is only read, from it on only written.
const WRITTEN_FROM = STACK_SIZE / 2;
const CONTENTS = pattern(STACK_SIZE);

/** What becomes of a request: it goes down at once, or when the burst ends; it is held when it comes up; it goes down in a later turn; it fails; it fails when half of it is there. */
const FATES = ["atOnce", "kept", "held", "later", "fails", "halves"] as const;
type Fate = (typeof FATES)[number];

/** Ends each request in its own way: the fates are given in the order in which requests come. */
class MoodyLayer extends LayerBase implements BurstUser {
  readonly name = "moody";
  readonly limits;
  readonly support;
  readonly fates: Fate[] = [];
  readonly #lower: Layer;
  readonly #environment: Environment;
  readonly #atEnd: (() => void)[] = [];

  constructor(lower: Layer, environment: Environment) {
    super([lower]);
    this.limits = lower.limits;
    this.support = lower.support;
    this.#lower = lower;
    this.#environment = environment;
  }

  submit(io: Io): void {
    const fate = io.op > Op.write ? "atOnce" : (this.fates.shift() ?? "atOnce");
    const lower = this.#lower;
    if (fate === "atOnce") return lower.submit(io);
    if (fate === "later") return this.#environment.later(() => lower.submit(io));
    if (fate === "kept") return this.#whenBurstEnds(() => lower.submit(io));
    if (fate === "fails") return this.#whenBurstEnds(() => io.fail("CEV_IO", "broken", this.name));
    io.pushAction(() => {
      if (fate === "halves") io.error = ioError(io, "CEV_IO", "broken", this.name);
      if (fate === "halves") io.transferred = io.length / 2;
      io.hold();
      this.#whenBurstEnds(() => io.resume());
    }, null);
    lower.submit(io);
  }

  #whenBurstEnds(run: () => void): void {
    const { burst } = this.#environment;
    if (!burst.isOn) return this.#environment.later(run);
    if (this.#atEnd.length === 0) burst.atEnd(this);
    this.#atEnd.push(run);
  }

  burstEnded(): void {
    for (const run of this.#atEnd.splice(0)) run();
  }

  describe(): LayerDescription {
    return { driver: this.name, options: {}, lowers: [this.#lower.describe()] };
  }
}

let world: SimulatedWorld;
let environment: Environment;
let memory: MemoryLayer;
let moody: MoodyLayer;
let device: Device;
beforeEach(() => setUp(1));

async function setUp(seed: number): Promise<void> {
  world = new SimulatedWorld({ seed });
  environment = world.environment;
  memory = new MemoryLayer(environment, { size: STACK_SIZE, contents: CONTENTS });
  moody = new MoodyLayer(memory, environment);
  device = await world.drive(Device.open(moody, environment));
}

function connect(options: FakeClientOptions = {}, isStructured = false): FakeClient {
  return new FakeClient(environment, [new Export({ name: "disk", device })], {
    smallLength: 524_288,
    ...options,
  }).enter("disk", isStructured);
}

const read = (cookie: number, length = PAGE): Buffer =>
  request({ command: Command.read, cookie, offset: cookie * PAGE, length });

function burstOfReads(count: number): Buffer {
  return Buffer.concat(Array.from({ length: count }, (_, cookie) => read(cookie)));
}

function expectPages(replies: readonly Reply[], count: number): void {
  expect(replies.map(({ cookie }) => cookie).toSorted((a, b) => a - b)).toEqual(
    Array.from({ length: count }, (_, cookie) => cookie),
  );
  expect(replies.every(({ error }) => error === 0)).toBe(true);
  expectData(replies);
}

function expectData(replies: readonly Reply[]): void {
  for (const { cookie, data } of replies)
    expect(Buffer.compare(data, CONTENTS.subarray(cookie * PAGE, cookie * PAGE + data.length))).toBe(0);
}

async function endAll(client: FakeClient): Promise<void> {
  client.transport.destroy();
  await world.run();
  expect(client.settledCount).toBe(1);
  for (const pool of client.pools) pool.close();
  expect(environment.buffers.bytesLent).toBe(0);
}

test.each(["kept", "held"] as const)(
  "reads that a layer ends with a received chunk are answered with it in one write, without memory of their own (%s)",
  async (fate) => {
    const client = connect();
    for (let round = 0; round < 3; round++) {
      const { buffers } = environment;
      const lent = buffers.bytesLent;
      let lentMax = lent;
      const tryAcquire = buffers.tryAcquire.bind(buffers);
      buffers.tryAcquire = (length) => {
        const buffer = tryAcquire(length);
        lentMax = Math.max(lentMax, buffers.bytesLent);
        return buffer;
      };
      const before = client.transport.writeCount;
      moody.fates.push(...Array.from({ length: 7 }, () => fate));
      client.send(burstOfReads(7));
      buffers.tryAcquire = tryAcquire;
      expect(client.transport.writeCount).toBe(before + 1);
      expectPages(
        client.replies(() => PAGE),
        7,
      );
      // Once the device is known to answer at once.
      if (round > 0) expect(lentMax).toBe(lent);
    }
    await endAll(client);
  },
);

test("of many reads the first 64 KiB are answered before the rest is looked at", async () => {
  const client = connect();
  client.send(read(0));
  client.replies(() => PAGE);
  const before = client.transport.writeCount;
  moody.fates.push(...Array.from({ length: 30 }, () => "held" as const));
  client.send(burstOfReads(30));
  expect(client.transport.writeCount).toBe(before + 2);
  expectPages(
    client.replies(() => PAGE),
    30,
  );
  await endAll(client);
});

test("a read that fails, or goes on, leaves nothing of itself between the replies of the others", async () => {
  const client = connect();
  client.send(read(0));
  client.replies(() => PAGE);
  moody.fates.push("held", "fails", "held", "later", "held", "fails");
  client.send(burstOfReads(6));
  const replies = client.replies(() => PAGE);
  expect(replies.map(({ cookie, error }) => [cookie, error])).toEqual([
    [0, 0],
    [2, 0],
    [4, 0],
    [1, NbdErrno.EIO],
    [5, NbdErrno.EIO],
  ]);
  await world.run();
  const late = client.replies(() => PAGE);
  expect(late.map(({ cookie, error }) => [cookie, error])).toEqual([[3, 0]]);
  expectData([...replies.filter(({ error }) => error === 0), ...late]);
  await endAll(client);
});

test("what was read of those that fail within a burst is answered with their errors", async () => {
  const client = connect({}, true);
  client.send(read(0));
  client.received();
  moody.fates.push("halves", "held", "halves", "halves", "held");
  client.send(burstOfReads(5));
  const replies = client.replies();
  expect(replies.map(({ cookie, error, isDone }) => [cookie, error, isDone])).toEqual([
    [1, 0, true],
    [4, 0, true],
    ...[0, 2, 3].flatMap((cookie) => [
      [cookie, 0, false],
      [cookie, NbdErrno.EIO, true],
    ]),
  ]);
  const parts = replies.filter(({ error }) => error === 0);
  expect(parts.map(({ data }) => data.length)).toEqual([PAGE, PAGE, PAGE / 2, PAGE / 2, PAGE / 2]);
  expectData(parts);
  await endAll(client);
});

test("a device that throws does not keep the burst on", async () => {
  const client = connect();
  moody.fates.push("held");
  const submit = device.submit.bind(device);
  let count = 0;
  device.submit = (io) => {
    if (++count === 2) throw new Error("broken");
    submit(io);
  };
  expect(() => client.send(burstOfReads(2))).toThrow("broken");
  expect(environment.burst.isOn).toBe(false);
});

function isData(command: number): boolean {
  return command === Command.read || command === Command.write;
}

const steps = fc.array(
  fc.record({
    command: fc.constantFrom(Command.read, Command.read, Command.read, Command.write, Command.flush, 77),
    pages: fc.constantFrom(1, 1, 1, 2, 4, 5),
    fate: fc.oneof({ weight: 3, arbitrary: fc.constant<Fate>("held") }, fc.constantFrom(...FATES)),
  }),
  { minLength: 1, maxLength: 60 },
);

test("whatever becomes of each, every request is answered once, and rightly", async () => {
  await fc.assert(
    fc.asyncProperty(
      steps,
      fc.record({
        isStructured: fc.boolean(),
        isReader: fc.boolean(),
        requestsMax: fc.constantFrom(3, 20, 256),
        unsentMax: fc.constantFrom(1, 50_000, 1_000_000),
        sendLength: fc.constantFrom(32_768, 65_536, 262_144),
        closesAfter: fc.option(fc.nat({ max: 60 })),
      }),
      fc.integer(),
      async (requests, setting, seed) => {
        await setUp(seed);
        const client = connect(setting, setting.isStructured);
        // The device is taken to answer at once.
        for (let cookie = 0; cookie < 9; cookie++) client.send(read(cookie));
        client.received();
        client.transport.isReader = setting.isReader;
        const places = requests.map(({ command }, index) =>
          command === Command.write ? WRITTEN_FROM + index * 5 * PAGE : index * PAGE,
        );
        const inRange = requests.filter((_, index) => places[index]! + 5 * PAGE <= STACK_SIZE);
        moody.fates.push(...inRange.filter(({ command }) => isData(command)).map(({ fate }) => fate));
        const messages = inRange.map(({ command, pages }, cookie) =>
          request({
            ...{ command, cookie, offset: places[cookie]! },
            ...(command === Command.write
              ? { payload: pattern(pages * PAGE, cookie) }
              : { length: pages * PAGE }),
            ...(command === Command.flush ? { offset: 0, length: 0 } : {}),
          }),
        );
        client.send(Buffer.concat(messages));
        if (setting.closesAfter !== null && setting.closesAfter < inRange.length) {
          await endAll(client);
          return;
        }
        await world.run();
        while (client.transport.drainOnce()) await world.run();
        const replies = client.replies((cookie) =>
          inRange[cookie]!.command === Command.read ? inRange[cookie]!.pages * PAGE : 0,
        );
        const last = replies.filter(({ isDone }) => isDone);
        expect(last.map(({ cookie }) => cookie).toSorted((a, b) => a - b)).toEqual(
          inRange.map((_, cookie) => cookie),
        );
        for (const { cookie, error, isDone, data } of replies) {
          const { command, pages, fate } = inRange[cookie]!;
          const offset = places[cookie]!;
          const isFailing = isData(command) && (fate === "fails" || fate === "halves");
          const errno = command === 77 ? NbdErrno.EINVAL : isFailing && isDone ? NbdErrno.EIO : 0;
          expect([cookie, error]).toEqual([cookie, errno]);
          if (errno !== 0) continue;
          const length = (pages * PAGE) / (isDone ? 1 : 2);
          if (command === Command.read)
            expect(Buffer.compare(data, CONTENTS.subarray(offset, offset + length))).toBe(0);
          if (command !== Command.write) continue;
          const written = memory.bytes.subarray(offset, offset + length);
          expect(Buffer.compare(written, pattern(length, cookie))).toBe(0);
        }
        await endAll(client);
      },
    ),
    { numRuns: 50 },
  );
});

test("a burst that something goes wrong in is over afterwards, and only once", () => {
  const { burst } = environment;
  const client = connect();
  client.send(burstOfReads(20));
  client.received();
  moody.fates.push("kept");
  burst.atEnd({
    burstEnded() {
      throw new Error("a mistake");
    },
  });
  // What is refused is answered, and nothing may be answered before the reads in front of it.
  const beyond = request({ command: Command.read, cookie: 9, offset: STACK_SIZE, length: PAGE });
  expect(() => client.send(Buffer.concat([read(1), beyond]))).toThrow("a mistake");
  expect(burst.isOn).toBe(false);
  burst.begin();
  expect(burst.isOn).toBe(true);
  burst.end();
});
