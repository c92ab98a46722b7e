import { isCevError } from "@cev/core";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { formatNbdUri, nameOfNbdUri, parseNbdUri, showNbdUri } from "../../src/protocol/uri.ts";
import type { NbdUri } from "../../src/protocol/uri.ts";

const BASE: NbdUri = {
  isTls: false,
  address: { host: "localhost", port: 10_809 },
  username: null,
  exportName: "",
  tls: {},
};

function codeOf(text: string): string {
  try {
    parseNbdUri(text);
    return "taken";
  } catch (error) {
    return isCevError(error) ? error.code : "no code";
  }
}

describe("NBD URIs", () => {
  test.each<[string, Partial<NbdUri>]>([
    ["nbd://localhost", {}],
    ["nbd://localhost/", {}],
    ["nbd:///", {}],
    ["NBD://localhost/", {}],
    ["nbds://localhost/", { isTls: true }],
    ["nbd://localhost:12345/disk", { address: { host: "localhost", port: 12_345 }, exportName: "disk" }],
    ["nbd://[::1]:2/", { address: { host: "::1", port: 2 } }],
    ["nbd://[fe80::1%25eth0]/", { address: { host: "fe80::1%eth0", port: 10_809 } }],
    ["nbd://localhost//disk", { exportName: "/disk" }],
    ["nbd://localhost/a/../b//c", { exportName: "a/../b//c" }],
    ["nbd://localhost/%C3%A4%20%3f", { exportName: "ä ?" }],
    ["nbd+unix:///?socket=/run/nbd.sock", { address: { path: "/run/nbd.sock" } }],
    ["nbd+unix:///d?socket=%00cev", { address: { path: "\0cev" }, exportName: "d" }],
    [
      "nbds+unix://alice@/d?socket=s&tls-psk-file=/k.psk",
      { isTls: true, username: "alice", address: { path: "s" }, exportName: "d", tls: { pskFile: "/k.psk" } },
    ],
    [
      "nbds://h/?tls-type=X509&tls-certificates=pki&tls-hostname=n&tls-verify-peer=false",
      {
        isTls: true,
        address: { host: "h", port: 10_809 },
        tls: { type: "x509", certificates: "pki", hostname: "n", verifyPeer: false },
      },
    ],
  ])("%s is read", (text, expected) => {
    expect(parseNbdUri(text)).toEqual({ ...BASE, ...expected });
  });

  test.each([
    ["disk.img", "CEV_INVALID"],
    ["nbd:disk", "CEV_INVALID"],
    ["http://localhost/", "CEV_INVALID"],
    ["nbd+ssh://host/?socket=s", "CEV_NOT_SUPPORTED"],
    ["nbds+vsock://2:10809/", "CEV_NOT_SUPPORTED"],
    ["nbd+carrier://2/", "CEV_NOT_SUPPORTED"],
    ["nbd://host/?socket=s", "CEV_INVALID"],
    ["nbd+unix:///d", "CEV_INVALID"],
    ["nbd+unix:///d?socket=", "CEV_INVALID"],
    ["nbd+unix://host/d?socket=s", "CEV_INVALID"],
    ["nbd://host:0/", "CEV_INVALID"],
    ["nbd://host:65536/", "CEV_INVALID"],
    ["nbd://host:1:2/", "CEV_INVALID"],
    ["nbd://host/?speed=9", "CEV_INVALID"],
    ["nbd://host/?tls-type=anon", "CEV_NOT_SUPPORTED"],
    ["nbd://host/?tls-type=none", "CEV_INVALID"],
    ["nbd://host/?tls-verify-peer=maybe", "CEV_INVALID"],
    ["nbd://host/?tls-hostname=a&tls-hostname=b", "CEV_INVALID"],
    ["nbd://host/%zz", "CEV_INVALID"],
    ["nbd://host/%ff", "CEV_INVALID"],
    ["nbd://host/a%00b", "CEV_INVALID"],
    ["nbd://host/a b", "CEV_INVALID"],
    ["nbd://host/#part", "CEV_INVALID"],
    ["nbd://user:secret@host/", "CEV_INVALID"],

    ["nbd+unix:///?socket=a%00b", "CEV_INVALID"],
  ])("%s is refused with %s", (text, code) => {
    expect(codeOf(text)).toBe(code);
  });

  test("a name has at most 4096 bytes", () => {
    expect(codeOf(`nbd://host/${"a".repeat(4096)}`)).toBe("taken");
    expect(codeOf(`nbd://host/${"a".repeat(4097)}`)).toBe("CEV_INVALID");
  });

  test("what is written is what is read", () => {
    const name = fc.string({ unit: "grapheme", maxLength: 30 }).filter((text) => !text.includes("\0"));
    const file = name.filter((text) => text !== "");
    const address = fc.oneof(
      fc.record({ path: file }),
      fc.record({
        host: fc.oneof(
          fc.domain(),
          fc.ipV6().filter((text) => text !== ""),
          fc.ipV4(),
        ),
        port: fc.integer({ min: 1, max: 65_535 }),
      }),
    );
    const tls = fc.record(
      {
        type: fc.constantFrom("x509" as const, "psk" as const),
        certificates: name,
        pskFile: name,
        hostname: name,
        verifyPeer: fc.boolean(),
      },
      { requiredKeys: [] },
    );
    const username = fc.option(
      file.filter((text) => !text.includes(":")),
      { nil: null },
    );
    const uris = fc.record({ isTls: fc.boolean(), address, username, exportName: name, tls });
    fc.assert(
      fc.property(uris, (uri) => {
        expect(parseNbdUri(formatNbdUri(uri))).toEqual(uri);
      }),
      { numRuns: 300 },
    );
  });

  test("whatever the text, it is read or refused with a code", () => {
    const pieces = fc.constantFrom(
      "nbd",
      "s",
      "+unix",
      "://",
      "/",
      "?",
      "socket=",
      "&",
      "%",
      "%00",
      "@",
      ":",
      "[",
      "]",
      "a",
      "ä",
      "#",
      "tls-type=",
    );
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 12 }), (parts) => {
        expect(codeOf(parts.join(""))).not.toBe("no code");
      }),
      { numRuns: 500 },
    );
  });

  test("what people are shown holds no login name and no file of keys", () => {
    const uri = parseNbdUri("nbds://alice@host/disk?tls-psk-file=/home/alice/k.psk");
    expect(showNbdUri(uri)).toBe("nbds://host/disk");
    expect(nameOfNbdUri(uri)).toBe("disk");
    expect(nameOfNbdUri(parseNbdUri("nbd://host:99/"))).toBe("host:99");
    expect(nameOfNbdUri(parseNbdUri("nbd+unix:///?socket=/run/a.sock"))).toBe("a.sock");
  });
});
