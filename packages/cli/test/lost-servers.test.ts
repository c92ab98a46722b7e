import { randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Op } from "@cev/core";
import { describe, expect, test } from "vitest";
import { Command, temporaryFolder } from "./helpers.ts";
import { run } from "./in-process.ts";
import { serveDisks, serveUnsteady } from "./nbd-disks.ts";

const STACK = `devices:
  a: { driver: "@cev/nbd", uri: "nbd+unix:///?socket=s0" }
  b: { driver: "@cev/nbd", uri: "nbd+unix:///?socket=s1" }
  c: { driver: "@cev/nbd", uri: "nbd+unix:///?socket=s2" }
  r5: { driver: "@cev/raid", members: [a, b, c] }
`;

/** A RAID5 over three servers, one of which is down, with random bytes on it. */
async function setUp(): Promise<{
  readonly cwd: string;
  readonly uris: readonly string[];
  readonly content: Buffer;
}> {
  const { cwd, uris, servers } = await serveDisks(3);
  await run(["raid", "create", "data", "--level", "5", "--assume-clean", ...uris], { cwd });
  const content = randomBytes(1_500_000);
  writeFileSync(join(cwd, "content"), content);
  writeFileSync(join(cwd, "st.yaml"), STACK);
  await run(["copy", ...uris, "--device", "md/data", "--from", "content"], { cwd });
  await servers[1]!.close();
  return { cwd, uris, content };
}

const held = (cwd: string, length: number): Buffer => readFileSync(join(cwd, "out")).subarray(0, length);

describe("an array of which one server is down at the start", () => {
  test("is opened degraded from a stack file; to write it has to be allowed by name", async () => {
    const { cwd, content } = await setUp();
    const read = await run(["copy", "st.yaml", "--device", "r5", "--to", "out"], { cwd });
    expect(read.stderr).toMatch(/^cev: warning: .*devices\.b: .*s1: /m);
    expect(read.stderr).toMatch(/degraded/);
    expect(read.status).toBe(0);
    expect(held(cwd, content.length).equals(content)).toBe(true);
    const write = ["copy", "st.yaml", "--device", "r5", "--from", "content"];
    const refused = await run(write, { cwd });
    expect(refused.stderr).toMatch(/add --degraded/);
    expect(refused.status).toBe(1);
    const allowed = await run([...write, "--degraded"], { cwd });
    expect(allowed.stderr).toMatch(/^cev: warning: .*devices\.b: /m);
    expect(allowed.status).toBe(0);
  });

  test("is opened from URIs where that is allowed by name, and refused in words that say so", async () => {
    const { cwd, uris, content } = await setUp();
    const read = ["copy", ...uris, "--device", "md/data", "--to", "out"];
    const refused = await run(read, { cwd });
    expect(refused.stderr).toMatch(/^cev: .*s1.*add --degraded to go on without it/);
    expect(refused.status).toBe(1);
    const allowed = await run([...read, "--degraded"], { cwd });
    expect(allowed.stderr).toMatch(/^cev: warning: .*s1/m);
    expect(allowed.status).toBe(0);
    expect(held(cwd, content.length).equals(content)).toBe(true);
  });

  test.each([["URIs"], ["a stack file"]])(
    "is shown by cev inspect of %s, with what is broken",
    async (what) => {
      const { cwd, uris } = await setUp();
      const sources = what === "URIs" ? uris : ["st.yaml"];
      const { stdout, stderr, status } = await run(["inspect", ...sources], { cwd });
      expect(stdout.toString()).toMatch(/(md\/data|r5) +\d.*degraded/);
      expect(stderr).toMatch(/^cev: .*s1/m);
      expect(status).toBe(1);
    },
  );
});

test("cev inspect of a stack file shows what does not stand on the device that is broken", async () => {
  const { cwd } = await serveDisks(1);
  const stack = `devices:
  good: { driver: "@cev/nbd", uri: "nbd+unix:///?socket=s0" }
  bad: { driver: "@cev/nbd", uri: "nbd+unix:///?socket=s9" }
  table: { driver: partitions, lower: bad }
exports: { x: bad }
`;
  writeFileSync(join(cwd, "st.yaml"), stack);
  const { stdout, stderr, status } = await run(["inspect", "st.yaml"], { cwd });
  expect(stdout.toString()).toMatch(/^good /m);
  expect(stderr).toMatch(/devices\.bad: /);
  expect(status).toBe(1);
  const refused = await run(["copy", "st.yaml", "--device", "table/p1", "--to", "out", "--degraded"], {
    cwd,
  });
  expect(refused.stderr).toMatch(/devices\.bad: /);
  expect(refused.status).toBe(1);
});

test("an array is not made while one of its servers is down", async () => {
  const { cwd, servers } = await serveDisks(3);
  const made = STACK.replace("[a, b, c] }", "[a, b, c], create: { name: data, level: 5 } }");
  writeFileSync(join(cwd, "st.yaml"), made);
  await servers[1]!.close();
  writeFileSync(join(cwd, "content"), "some");
  const args = ["copy", "st.yaml", "--device", "r5", "--from", "content", "--degraded"];
  const { stderr, status } = await run(args, { cwd });
  expect(stderr).toMatch(/the array is not made yet/);
  expect(status).toBe(1);
  const looked = await run(["inspect", "nbd+unix:///?socket=s0"], { cwd });
  expect(looked.stderr).toMatch(/nothing known was found/);
});

describe("a server that goes away while a device is copied, and comes back", () => {
  const told = /warning: .*s0.*: the server is away.*[^]*warning: .*s0.*: the server is back/;

  test("is told of where it is read, below the line of progress", async () => {
    const cwd = temporaryFolder();
    const uri = await serveUnsteady(cwd, "s0", Op.read);
    const args = ["copy", uri, "--device", "s0", "--to", "out", "--progress"];
    const { status, stderr } = await run(args, { cwd });
    expect(stderr).toMatch(told);
    // None of them stands behind a bar in its line.
    expect(stderr).not.toMatch(/\].*cev: warning/);
    expect(stderr).toMatch(/the server is back[^]*100%/);
    expect(status).toBe(0);
    expect(readFileSync(join(cwd, "out"))).toHaveLength(6 << 20);
  });

  test("is told of where it is written", async () => {
    const cwd = temporaryFolder();
    const uri = await serveUnsteady(cwd, "s0", Op.write);
    writeFileSync(join(cwd, "disk.img"), randomBytes(6 << 20));
    const { status, stderr } = await run(["copy", "disk.img", "--device", "disk.img", "--to", uri], { cwd });
    expect(stderr).toMatch(told);
    expect(status).toBe(0);
  });

  test("is told of by cev serve", async () => {
    const cwd = temporaryFolder();
    const uri = await serveUnsteady(cwd, "s0", Op.read);
    const serving = new Command(["serve", uri, "--read-only", "--socket", "s"], { cwd });
    await serving.until(/ready/);
    await run(["copy", "nbd+unix:///?socket=s", "--device", "s", "--to", "out"], { cwd });
    await serving.untilError(told);
    serving.child.kill("SIGINT");
    expect(await serving.ended).toMatchObject({ status: 0 });
  });
});
