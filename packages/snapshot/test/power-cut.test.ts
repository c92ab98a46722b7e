import { Device, Io, IoFlag, Op, environmentFrom } from "@cev/core";
import type { Details, Environment } from "@cev/core";
import {
  CutRecorder,
  DurabilityModel,
  MemoryLayer,
  PowerCutLayer,
  Random,
  SimulatedWorld,
} from "@cev/test-kit";
import type { CutState } from "@cev/test-kit";
import { describe, expect, test } from "vitest";
import { openSnapshots } from "./open-snapshots.ts";

const KIB = 1024;
const SECTOR = 512;

/** What the disks could hold if the power went, and what the devices on them may show then. */
type Moment = CutState<readonly DurabilityModel[]>;

interface Scene {
  readonly name: string;
  readonly originSize: number;
  readonly chunkSizes: readonly number[];
  readonly storeSizes: readonly number[];
  /** The first snapshot may be lost. */
  readonly canOverflow: boolean;
}

const SCENES: readonly Scene[] = [
  {
    name: "two snapshots",
    originSize: 48 * KIB,
    chunkSizes: [1 * KIB, 4 * KIB],
    storeSizes: [128 * KIB, 128 * KIB],
    canOverflow: false,
  },
  {
    name: "areas of several sectors that fill",
    originSize: 96 * KIB,
    chunkSizes: [1 * KIB],
    storeSizes: [160 * KIB],
    canOverflow: false,
  },
  {
    name: "a snapshot that overflows",
    originSize: 48 * KIB,
    chunkSizes: [2 * KIB],
    storeSizes: [30 * KIB],
    canOverflow: true,
  },
];

class Run {
  readonly world: SimulatedWorld;
  readonly random: Random;
  readonly disks: PowerCutLayer[];
  readonly scene: Scene;
  moments: readonly Moment[] = [];

  constructor(scene: Scene, seed: number) {
    this.scene = scene;
    this.world = new SimulatedWorld({ seed });
    this.random = new Random(seed);
    const { environment } = this.world;
    this.disks = [scene.originSize, ...scene.storeSizes].map(
      (size, index) =>
        new PowerCutLayer(environment, {
          size,
          completion: seed % 2 === 0 ? "atOnce" : "later",
          // A store is blank where it has zeroes at the begin, whatever it held before.
          contents: this.random.bytes(size).fill(0, 0, index === 0 ? 0 : 4096),
        }),
    );
  }

  options(): unknown {
    return { snapshots: this.scene.chunkSizes.map((chunkSize, index) => ({ name: `s${index}`, chunkSize })) };
  }

  async work(rounds: number): Promise<void> {
    const { environment } = this.world;
    const [origin, ...stores] = this.disks;
    const initial = origin!.contents;
    const models = this.disks.map(() => new DurabilityModel(initial, SECTOR));
    const opened = await this.world.drive(
      openSnapshots({ environment, origin: origin!, stores, options: this.options() }),
    );
    const recorder = new CutRecorder(this.disks, {
      random: this.random,
      policies: ["sectors"],
      context: () => models.map((model) => model.copy()),
    });
    const devices: Device[] = [];
    for (const { layer } of opened)
      devices.push(await this.world.drive(Device.open(layer, environment, { blockSize: SECTOR })));
    for (let round = 0; round < rounds; round++) {
      for (const [index, device] of devices.entries()) this.#submit(device, models[index]!);
      await this.world.run();
    }
    recorder.record();
    for (const device of devices.toReversed())
      await this.world.drive(
        device.close().catch((error: unknown) => expect(error).toMatchObject({ code: "CEV_DEVICE_LOST" })),
      );
    recorder.stop();
    this.moments = recorder.states;
  }

  #submit(device: Device, model: DurabilityModel): void {
    const { random } = this;
    const io = new Io(this.world.environment.runQueue);
    if (random.chance(0.15)) {
      io.prepare(Op.flush, 0, 0);
      const flushed = model.flushBegan();
      io.setOwner((done) => {
        if (done.error === null) flushed();
      }, null);
    } else {
      const sectors = device.size / SECTOR;
      const count = random.chance(0.2) ? random.between(1, sectors >> 1) : random.between(1, 8);
      const offset = random.between(0, sectors - count) * SECTOR;
      const data = random.bytes(count * SECTOR);
      const flags = random.chance(0.2) ? IoFlag.fua : 0;
      io.prepare(Op.write, offset, data.length, data, 0, flags);
      const write = model.began(offset, data);
      io.setOwner((done) => {
        if (done.error === null) model.completed(write, flags !== 0);
      }, null);
    }
    device.submit(io);
  }
}

/** Opens what a power cut left: nothing wrong is shown, before and after somebody has written there again. */
async function judge(moment: Moment, scene: Scene, options: unknown, random: Random): Promise<void> {
  const environment: Environment = environmentFrom(globalThis);
  const disks = moment.images.map(
    (contents) => new MemoryLayer(environment, { size: contents.length, contents }),
  );
  for (const isReadOnly of [true, false]) {
    const [origin, ...stores] = disks;
    const opened = await openSnapshots({ environment, origin: origin!, stores, options, isReadOnly });
    const contents: Uint8Array[] = [];
    const devices: Device[] = [];
    for (const [index, { layer, state, details }] of opened.entries()) {
      if (state === "invalid") {
        expect(scene.canOverflow, "invalid although there is room").toBe(true);
        continue;
      }
      if (index > 0 && isReadOnly && !scene.canOverflow) expect(lostRoom(details), "room is lost").toBe(0);
      const device = await Device.open(layer, environment, { blockSize: SECTOR });
      devices.push(device);
      const bytes = await device.read(0, device.size);
      expect(moment.context[index]!.firstWrong(bytes), `device ${index}`).toBe(-1);
      contents.push(bytes);
    }
    if (!isReadOnly) await writeAndLook(devices, contents, random);
    for (const device of devices.reverse()) await device.close().catch(() => undefined);
  }
}

/** Bytes of a store that are given out, and that no exception names. */
function lostRoom(details: Details): number {
  const { allocated, metadata, chunks, chunkSize } = details as Readonly<Record<string, number>>;
  return allocated! - metadata! - chunks! * chunkSize!;
}

async function writeAndLook(
  devices: readonly Device[],
  contents: readonly Uint8Array[],
  random: Random,
): Promise<void> {
  for (const [index, device] of devices.entries()) {
    const data = random.bytes(SECTOR);
    const offset = random.below(device.size / SECTOR) * SECTOR;
    const isDone = await device.write(offset, data).then(
      () => true,
      () => false,
    );
    if (isDone) contents[index]!.set(data, offset);
  }
  for (const [index, device] of devices.entries()) {
    const found = await device.read(0, device.size).catch(() => null);
    if (found !== null) expect(Buffer.compare(found, contents[index]!)).toBe(0);
  }
}

describe.each(SCENES)("$name", (scene) => {
  test.each([1, 2, 3])(
    "whenever the power goes, what was acknowledged and flushed is there, and snapshots show nothing else, seed %i",
    async (seed) => {
      const run = new Run(scene, seed);
      await run.work(14);
      expect(run.moments.length).toBeGreaterThan(30);
      // Each of them would take too long: those that are left out have their turn with another seed.
      const step = Math.ceil(run.moments.length / 36);
      for (let index = 0; index < run.moments.length; index += step)
        await judge(run.moments[index]!, scene, run.options(), run.random);
    },
  );
});
