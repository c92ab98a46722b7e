import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Server } from "../src/cev.ts";
import { GoldenCopy } from "../src/golden-copy.ts";
import { NbdClient, NbdCommand, greet, requestHead } from "../src/nbd-client.ts";
import { Random } from "../src/random.ts";

const DEVICE = "vg1/linear";

describe("a client that misbehaves harms nobody else", () => {
  let golden: GoldenCopy;
  let socket = "";
  let server: Server;
  let neighbour: NbdClient;

  beforeAll(async () => {
    golden = new GoldenCopy("lvm");
    socket = join(golden.folder, "nbd");
    server = await Server.onSocket(socket, [...golden.images, "--device", DEVICE]);
    neighbour = await NbdClient.connect(socket, DEVICE);
  });
  afterAll(async () => {
    await neighbour[Symbol.asyncDispose]();
    try {
      expect(await server.stop()).toMatchObject({ status: 0 });
    } finally {
      golden[Symbol.dispose]();
    }
  });

  /** The neighbour's reads and writes go on as ever. */
  async function expectNeighbourFine(): Promise<void> {
    const data = new Random(9).bytes(8192);
    await neighbour.write(65_536, data, true);
    expect(Buffer.compare(await neighbour.read(65_536, 8192), data)).toBe(0);
  }

  test("garbage instead of the greeting ends that connection", async () => {
    const { socket: connection, reader } = await greet(socket);
    connection.write(new Random(6).bytes(100_000));
    await reader.untilEnd();
    await expectNeighbourFine();
  });

  test("garbage instead of a request ends that connection", async () => {
    const client = await NbdClient.connect(socket, DEVICE);
    const ended = new Promise((resolve) => client.socket.on("close", resolve));
    client.socket.write(new Random(7).bytes(100_000));
    await ended;
    await expectNeighbourFine();
  });

  test("a connection that ends in the middle of a write", async () => {
    const before = await neighbour.read(1_048_576, 65_536);
    const client = await NbdClient.connect(socket, DEVICE);
    client.socket.write(requestHead(NbdCommand.write, 1n, { offset: 1_048_576, length: 65_536 }));
    await new Promise<void>((resolve) => {
      client.socket.write(new Random(8).bytes(30_000), () => {
        resolve();
      });
    });
    client.socket.destroy();
    await expectNeighbourFine();
    const after = await neighbour.read(1_048_576, 65_536);
    expect(Buffer.compare(after, before), "half a write is none").toBe(0);
  });

  test("a connection that ends with many requests under way", async () => {
    const client = await NbdClient.connect(socket, DEVICE);
    for (let index = 0; index < 64; index++) {
      client.socket.write(
        requestHead(NbdCommand.read, BigInt(index), { offset: index * 4096, length: 4096 }),
      );
    }
    client.socket.destroy();
    await expectNeighbourFine();
  });

  test("requests beyond the end get an error, and the connection goes on", async () => {
    await using client = await NbdClient.connect(socket, DEVICE);
    const { size } = client;
    await expect(client.read(size, 512)).rejects.toMatchObject({ errno: 22 });
    await expect(client.read(size - 512, 1024)).rejects.toMatchObject({ errno: 22 });
    await expect(client.write(size - 512, new Uint8Array(1024))).rejects.toMatchObject({ errno: 28 });
    await expect(client.writeZeroes(size, 4096)).rejects.toMatchObject({ errno: 28 });
    await expect(client.read(2 ** 52, 512)).rejects.toMatchObject({ errno: 22 });
    expect(await client.read(size - 512, 512)).toHaveLength(512);
    await expectNeighbourFine();
  });

  test("an export that does not exist is refused by name", async () => {
    await expect(NbdClient.connect(socket, "vg1/nothing")).rejects.toThrow(/refused/);
    await expectNeighbourFine();
  });

  test("an unknown command gets an error, and the connection goes on", async () => {
    await using client = await NbdClient.connect(socket, DEVICE);
    await expect(client.send(99, { offset: 0, length: 0 })).rejects.toMatchObject({ errno: 22 });
    expect(await client.read(0, 512)).toHaveLength(512);
  });
});
