import { Device, environmentFrom, formatError } from "@cev/core";
import { MemoryLayer } from "@cev/test-kit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { NbdServerOptions } from "../../src/server/server-options.ts";
import { NbdServer } from "../../src/server/server.ts";
import type { StreamFds } from "../../src/transport/pipe-transport.ts";

const environment = environmentFrom(globalThis);
let device: Device;
beforeAll(async () => {
  device = await Device.open(new MemoryLayer(environment, { size: 65_536 }), environment);
});
afterAll(() => device.close());

function makeServer(options: Partial<NbdServerOptions> = {}): NbdServer {
  return new NbdServer({ environment, exports: [{ name: "disk", device }], ...options });
}

describe("what is no option is refused, and the nearest one named", () => {
  test.for<[string, object, RegExp]>([
    ["the server", { maxConnections: 5 }, /"maxConnections" is no option of NbdServer/],
    ["the server, a letter off", { memorymax: 5 }, /"memorymax" .*did you mean memoryMax\?/],
    [
      "an export",
      { exports: [{ readOnly: true }] },
      /"readOnly" is no option of export "disk"; did you mean isReadOnly\?/,
    ],
    [
      "an export, nothing near",
      { exports: [{ q: 1 }] },
      /"q" .*; there are name, description, device, isReadOnly/,
    ],
    ["one from every object", { exports: [{ constructor: 1 }] }, /"constructor" is no option/],
    [
      "tls",
      { tls: { mode: "off", verifyPeer: true } },
      /"verifyPeer" is no option of tls; did you mean verifiesPeer\?/,
    ],
    [
      "certificates",
      { tls: { mode: "off", certificates: { cert: "" } } },
      /"cert" is no option of tls\.certificates/,
    ],
  ])("%s", ([, options, says]) => {
    const { exports = [{}], ...others } = options as { exports?: object[] };
    const make = (): NbdServer =>
      makeServer({ exports: exports.map((each) => ({ name: "disk", device, ...each })), ...others });
    expect(refusalOf(make)).toMatch(says);
  });

  test.for<[object, RegExp]>([
    [
      { path: "s", permissions: 0o600 },
      /"permissions" is no option of a Unix socket; there are path, mode, owner/,
    ],
    [{ path: "s", owner: { uid: 0, group: 0 } }, /"group" is no option of the owner of a Unix socket/],
    [{ path: "s", port: 10_809 }, /"port" is no option of a Unix socket/],
    [{ hostname: "::1" }, /"hostname" is no option of a TCP address; did you mean host\?/],
    [{ fd: 3, mode: 0o600 }, /"mode" is no option of an inherited socket/],
  ])("an address: %o", async ([address, says]) => {
    const refused: unknown = await makeServer()
      .listen(address)
      .catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: "CEV_INVALID" });
    expect(formatError(refused)).toMatch(says);
  });

  test("a stream", () => {
    const streams = { input: 0, output: 1 } as unknown as StreamFds;
    expect(refusalOf(() => makeServer().serveStream(streams))).toMatch(
      /"input" is no option of a stream; did you mean inputFd\?/,
    );
  });

  function refusalOf(act: () => unknown): string {
    try {
      act();
    } catch (error) {
      expect(error).toMatchObject({ code: "CEV_INVALID" });
      return formatError(error);
    }
    throw new Error("it was accepted");
  }
});
