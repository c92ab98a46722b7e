import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { CevError } from "@cev/core";
import type { NbdEvent } from "@cev/nbd";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { tellOfClient, traceLine } from "../src/client-lines.ts";
import { placesOf, settingsOf } from "../src/serve-options.ts";
import type { ServerWords } from "../src/serve-options.ts";
import { temporaryFolder } from "./helpers.ts";
import { run } from "./in-process.ts";

describe("where clients of cev serve come in", () => {
  test("at a socket and any number of ports", () => {
    const listen = ["127.0.0.1:10809", "[::1]:0"];
    expect(
      placesOf({ socket: "/run/s", socketMode: "0660", socketOwner: "1000:0", listen, stdio: false }),
    ).toEqual([
      { path: "/run/s", mode: 0o660, owner: { uid: 1000, gid: 0 } },
      { host: "127.0.0.1", port: 10_809 },
      { host: "::1", port: 0 },
    ]);
  });

  test("owners are names of this machine or numbers, and what is left out stays", () => {
    const ownerOf = (text: string): unknown => placesOf({ socket: "s", socketOwner: text })[0];
    expect(ownerOf("root")).toEqual({ path: "s", owner: { uid: 0, gid: -1 } });
    expect(ownerOf(":root")).toEqual({ path: "s", owner: { uid: -1, gid: 0 } });
    expect(ownerOf("root:7")).toEqual({ path: "s", owner: { uid: 0, gid: 7 } });
  });

  test.each<{ words: ServerWords; says: RegExp }>([
    { words: {}, says: /give --socket PATH, --listen HOST:PORT or --stdio/ },
    { words: { stdio: true, socket: "s" }, says: /--stdio serves one client/ },
    { words: { stdio: true, socketMode: "600" }, says: /go with --socket/ },
    { words: { listen: ["localhost"] }, says: /--listen takes HOST:PORT/ },
    { words: { socket: "s", socketMode: "0999" }, says: /permissions such as 0660, not 0999/ },
    { words: { socket: "s", socketMode: "4755" }, says: /permissions such as 0660/ },
    { words: { socket: "s", socketOwner: "" }, says: /takes USER, USER:GROUP or :GROUP/ },
    { words: { socket: "s", socketOwner: "no such user" }, says: /no user no such user; give a number/ },
  ])("what makes no sense is called the wrong way: $words", ({ words, says }) => {
    expect(() => placesOf(words)).toThrow(says);
  });

  test("sockets that the process was started with count, and are not handed on to its children", () => {
    const variables = { LISTEN_PID: String(process.pid), LISTEN_FDS: "2", LISTEN_FDNAMES: "a:b" };
    Object.entries(variables).forEach(([name, value]) => vi.stubEnv(name, value));
    onTestFinished(() => void vi.unstubAllEnvs());
    expect(placesOf({})).toEqual([{ fd: 3 }, { fd: 4 }]);
    expect(Object.keys(variables).filter((name) => name in process.env)).toEqual([]);
  });

  test("sockets that were handed over and --stdio contradict each other, as where nbdinfo starts a server in brackets", () => {
    vi.stubEnv("LISTEN_PID", String(process.pid)).stubEnv("LISTEN_FDS", "1");
    onTestFinished(() => void vi.unstubAllEnvs());
    expect(() => placesOf({ stdio: true })).toThrow(/leave out --stdio/);
  });

  test("sockets that are for another process are left alone", () => {
    vi.stubEnv("LISTEN_PID", "1").stubEnv("LISTEN_FDS", "1");
    onTestFinished(() => void vi.unstubAllEnvs());
    expect(() => placesOf({})).toThrow(/give --socket/);
  });
});

test.each(["--key-file", "--passphrase-file"])(
  "a key cannot come from standard input where a client is: %s",
  async (option) => {
    const { status, stderr } = await run(["serve", "disk.img", "--stdio", option, "-"]);
    expect(stderr).toMatch(/standard input belongs to the client/);
    expect(status).toBe(2);
  },
);

describe("what clients of cev serve may", () => {
  test("counts, sizes and seconds", async () => {
    const words = {
      maxConnections: "7",
      maxRequests: "16",
      maxMemory: "64M",
      handshakeTimeout: "0.5",
      idleTimeout: "60",
    };
    expect(await settingsOf(words)).toEqual({
      connectionsMax: 7,
      requestsMax: 16,
      memoryMax: 64 << 20,
      handshakeTimeoutMs: 500,
      idleTimeoutMs: 60_000,
    });
    expect(await settingsOf({})).toEqual({});
  });

  test("keys make TLS needed unless the command line says otherwise", async () => {
    const file = join(temporaryFolder(), "keys.psk");
    writeFileSync(file, `alice:${"0f".repeat(32)}\n`, { mode: 0o600 });
    const modeOf = async (tls?: string): Promise<unknown> =>
      (await settingsOf({ tlsPsk: file, ...(tls === undefined ? {} : { tls }) })).tls?.mode;
    expect(await modeOf()).toBe("required");
    expect(await modeOf("optional")).toBe("optional");
    expect(await modeOf("off")).toBe(undefined);
  });

  test.each<{ words: ServerWords; says: RegExp }>([
    { words: { tls: "perhaps" }, says: /off, optional or required, not perhaps/ },
    { words: { tls: "required" }, says: /needs --tls-certificates FOLDER or --tls-psk FILE/ },
    { words: { tlsPsk: "keys", tlsVerifyPeer: true }, says: /--tls-verify-peer needs --tls-certificates/ },
    { words: { maxConnections: "0" }, says: /--max-connections takes a whole number from 1 on, not 0/ },
    { words: { maxRequests: "many" }, says: /--max-requests takes a whole number/ },
    { words: { idleTimeout: "-1" }, says: /--idle-timeout takes seconds/ },
    { words: { handshakeTimeout: "0" }, says: /--handshake-timeout takes seconds/ },
    { words: { tlsCertificates: "/nonexistent" }, says: /there is no such file/ },
  ])("what makes no sense is refused before anything is opened: $words", async ({ words, says }) => {
    await expect(settingsOf(words)).rejects.toThrow(says);
  });
});

describe("what cev serve tells of its clients", () => {
  const told = (event: NbdEvent, isVerbose = true): string[] => {
    const lines: string[] = [];
    tellOfClient(event, isVerbose, {
      say: (line) => lines.push(line),
      complain: (line) => lines.push(`! ${line}`),
    });
    return lines;
  };
  const figures = { requestCount: 12, bytesRead: 1 << 20, bytesWritten: 4096, durationMs: 2340 };
  const security = {
    kind: "tls",
    protocol: "TLSv1.3",
    cipher: "TLS_AES_128_GCM_SHA256",
    username: "alice",
    subject: null,
  } as const;
  const client = { connection: 3, peer: "unix", export: "vg0/root" };

  test("who came, how it is protected, and what was done", () => {
    expect(told({ kind: "chosen", ...client, security })).toEqual([
      "client 3 (unix): vg0/root, TLSv1.3, alice",
    ]);
    expect(told({ kind: "closed", ...client, error: null, figures, security })).toEqual([
      "client 3 (unix): left after 2.3 s and 12 requests; read 1 MiB, wrote 4 KiB",
    ]);
  });

  test("without --verbose only of what went wrong", () => {
    expect(told({ kind: "chosen", ...client, security }, false)).toEqual([]);
    expect(told({ kind: "closed", ...client, error: null, figures, security }, false)).toEqual([]);
    const error = new CevError("CEV_DEVICE_LOST", "the connection was lost", { source: "unix" });
    expect(told({ kind: "closed", ...client, error, figures, security }, false)).toEqual([
      "! warning: client 3 (unix): the connection was lost",
    ]);
  });

  test("who leaves without an export has a line, and no warning unless it did something wrong", () => {
    const left = { kind: "closed", ...client, export: null, figures, security } as const;
    const line = "client 3 (unix): left after 2.3 s without an export";
    const lost = new CevError("CEV_DEVICE_LOST", "the connection was lost", { source: "unix" });
    for (const error of [null, lost]) {
      expect(told({ ...left, error })).toEqual([line]);
      expect(told({ ...left, error }, false)).toEqual([]);
    }
    const error = new CevError("CEV_PROTOCOL", "no magic");
    expect(told({ ...left, error })).toEqual(["! warning: client 3 (unix): no magic"]);
    expect(told({ ...left, error }, false)).toEqual([]);
  });

  test("a certificate that clients will refuse, whether asked for lines or not", () => {
    const event = { kind: "warning", message: "the server's certificate was valid until yesterday" } as const;
    expect(told(event, false)).toEqual(["! warning: the server's certificate was valid until yesterday"]);
  });

  test("a certificate cannot write lines of its own", () => {
    const forged = { ...security, username: null, subject: "CN=eve\nclient 4 (unix): \u001B[2Jleft" };
    expect(told({ kind: "chosen", ...client, security: forged })).toEqual([
      "client 3 (unix): vg0/root, TLSv1.3, CN=eve?client 4 (unix): ?[2Jleft",
    ]);
  });

  test("a request is one line", () => {
    const trace = {
      connection: 3,
      command: "write",
      flags: 1,
      offset: 4096,
      length: 512,
      errno: 0,
      microseconds: 41.6,
    } as const;
    expect(traceLine(trace)).toBe("client 3: write 4096+512 flags=1: done after 42 us");
    expect(traceLine({ ...trace, command: "flush", flags: 0, errno: 5 })).toBe(
      "client 3: flush: error 5 after 42 us",
    );
  });
});
