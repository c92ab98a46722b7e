import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Server } from "../src/cev.ts";
import { Random } from "../src/random.ts";
import { output, run } from "../src/run.ts";
import { describeWith } from "../src/tools.ts";

const SIZE = 4_194_304;
const NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];

describeWith(["openssl", "nbdinfo", "nbdcopy", "qemu-img"], "real clients over TLS", () => {
  let folder: string;
  let disk: string;
  let byKey: Server;
  let byCertificate: Server;
  const at = (name: string): string => join(folder, name);

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "cev-tls-"));
    disk = at("disk.img");
    writeFileSync(disk, new Random(7).bytes(SIZE));
    writeFileSync(
      at("stack.json"),
      JSON.stringify({ devices: { disk: { driver: "@cev/hw-file", path: disk } } }),
    );
    writeFileSync(at("keys.psk"), `alice:${Buffer.from(new Random(8).bytes(32)).toString("hex")}\n`);
    makeCertificates(folder);
    [byKey, byCertificate] = await Promise.all([
      Server.onSocket(at("psk.sock"), [at("stack.json"), "--tls-psk", at("keys.psk")]),
      Server.onSocket(at("x509.sock"), [
        ...[
          at("stack.json"),
          "--read-only",
          "--tls",
          "optional",
          "--tls-certificates",
          folder,
          "--tls-verify-peer",
        ],
      ]),
    ]);
  });
  afterAll(async () => {
    try {
      for (const server of [byKey, byCertificate])
        expect(await server.stop("SIGTERM")).toMatchObject({ status: 0 });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  const keyUri = (name = "alice", scheme = "nbds"): string =>
    `${scheme}+unix://${name}@/?socket=${at("psk.sock")}&tls-psk-file=${at("keys.psk")}`;
  const certificateUri = (certificates: string): string =>
    `nbds+unix:///?socket=${at("x509.sock")}&tls-certificates=${certificates}`;

  test("nbdinfo and nbdcopy with a key see and move every byte", async () => {
    expect(await output("nbdinfo", [keyUri()])).toMatch(/with TLS/);
    const random = Buffer.from(new Random(9).bytes(SIZE));
    writeFileSync(at("in.raw"), random);
    await output("nbdcopy", [at("in.raw"), keyUri()]);
    await output("nbdcopy", [keyUri(), at("out.raw")]);
    expect(Buffer.compare(readFileSync(at("out.raw")), random)).toBe(0);
  });

  test("nobody gets in without TLS where it is required", async () => {
    const { status, stderr } = await run("nbdinfo", ["--size", `nbd+unix:///?socket=${at("psk.sock")}`]);
    expect(status).not.toBe(0);
    expect(stderr).toMatch(/TLS|not supported/i);
  });

  test("qemu-img reads over a key, and over a certificate", async () => {
    const psk = `tls-creds-psk,id=t,dir=${folder},endpoint=client,username=alice`;
    const x509 = `tls-creds-x509,id=t,dir=${folder},endpoint=client`;
    const options = (socket: string): string =>
      `driver=nbd,server.type=unix,server.path=${at(socket)},export=disk`;
    await output("qemu-img", [
      ...["convert", "--object", psk, "--image-opts", `${options("psk.sock")},tls-creds=t`],
      ...["-O", "raw", at("qemu-psk.raw")],
    ]);
    const info = await output("qemu-img", [
      ...["info", "--object", x509, "--image-opts"],
      `${options("x509.sock")},tls-creds=t,tls-hostname=localhost`,
    ]);
    expect(info).toMatch(/virtual size: 4 MiB/);
    expect(Buffer.compare(readFileSync(at("qemu-psk.raw")), readFileSync(disk))).toBe(0);
  });

  test("a certificate of the authority lets in; none, an expired one and one's own do not", async () => {
    expect(await output("nbdinfo", ["--size", certificateUri(folder)])).toBe(`${SIZE}\n`);
    for (const name of ["none", "expired", "selfish"]) {
      const { status } = await run("nbdinfo", ["--size", certificateUri(at(name))]);
      expect(status, name).not.toBe(0);
    }
    // Optional: in plain it goes, too.
    expect(await output("nbdinfo", ["--size", `nbd+unix:///?socket=${at("x509.sock")}`])).toBe(`${SIZE}\n`);
  });
});

/** The server's folder, which the good client uses, too; and one for each client that is to be refused. */
function makeCertificates(folder: string): void {
  const openssl = (...words: readonly string[]): void =>
    void execFileSync("openssl", words, { cwd: folder, stdio: "ignore" });
  const authority = ["-addext", "basicConstraints=critical,CA:TRUE"];
  openssl(
    "req",
    "-x509",
    ...NEW_KEY,
    "-keyout",
    "ca-key.pem",
    "-out",
    "ca-cert.pem",
    "-subj",
    "/CN=ca",
    ...authority,
  );
  for (const [path, purpose, days] of [
    ["server", "serverAuth", "30"],
    ["client", "clientAuth", "30"],
    ["expired/client", "clientAuth", "-1"],
  ] as const) {
    if (path.includes("/")) mkdirSync(join(folder, "expired"));
    writeFileSync(join(folder, "ext"), `subjectAltName=DNS:localhost\nextendedKeyUsage=${purpose}\n`);
    openssl("req", ...NEW_KEY, "-keyout", `${path}-key.pem`, "-out", "csr", "-subj", "/CN=localhost");
    openssl(
      ...["x509", "-req", "-in", "csr", "-CA", "ca-cert.pem", "-CAkey", "ca-key.pem", "-CAcreateserial"],
      ...["-out", `${path}-cert.pem`, "-extfile", "ext", "-days", days],
    );
  }
  for (const name of ["none", "selfish"]) mkdirSync(join(folder, name));
  const own = [
    "-keyout",
    "selfish/client-key.pem",
    "-out",
    "selfish/client-cert.pem",
    "-subj",
    "/CN=localhost",
  ];
  openssl("req", "-x509", ...NEW_KEY, ...own);
  for (const name of ["none", "selfish", "expired"])
    writeFileSync(join(folder, name, "ca-cert.pem"), readFileSync(join(folder, "ca-cert.pem")));
}
