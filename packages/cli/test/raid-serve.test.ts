import { existsSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { Command, temporaryFolder } from "./helpers.ts";
import { run } from "./in-process.ts";

const MEMBERS = ["m0", "m1", "m2"];

interface Answer {
  readonly array: { readonly state: string; readonly members: readonly { readonly state: string }[] };
}

/** An array that is served, with an image beside it that is not part of it. */
async function serveArray(): Promise<{ cwd: string; control: string; server: Command }> {
  const cwd = temporaryFolder();
  await run(["raid", "create", "data", "--level", "5", "--make-images", "6M", ...MEMBERS], { cwd });
  writeFileSync(join(cwd, "new"), "");
  truncateSync(join(cwd, "new"), 6 << 20);
  const server = new Command(["raid", "assemble", ...MEMBERS, "--socket", "md.sock"], { cwd });
  onTestFinished(() => void server.child.kill("SIGKILL"));
  await server.until(/ready/);
  return { cwd, control: "md.sock.control", server };
}

/** One line to a control socket, and all that comes back. */
function talk(path: string, line: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let heard = "";
    const socket = connect(path, () => socket.write(line));
    socket.setEncoding("utf8").on("data", (text: string) => (heard += text));
    socket.on("error", reject).on("close", () => resolve(heard));
  });
}

describe("an array that is served", () => {
  test("is looked at, changed and stopped through its control socket", async () => {
    const { cwd, control, server } = await serveArray();
    expect(statSync(join(cwd, control)).mode & 0o777).toBe(0o600);
    const ask = (...args: string[]): ReturnType<typeof run> =>
      run(["raid", ...args, "--array", control], { cwd });

    expect((await ask("detail", "--brief")).stdout.toString()).toMatch(
      /^ARRAY \/dev\/md\/data metadata=1\.2 /,
    );
    expect((await ask("add", "--device", "new")).stdout.toString()).toBe(
      "new has been added\nmd/data: clean, 3 of 3 devices active, 1 spare\n",
    );
    expect((await ask("fail", "--device", "m1")).stdout.toString()).toBe(
      "m1 has been failed\nmd/data: clean, 3 of 3 devices active\n",
    );
    expect((await ask("remove", "--device", "m1")).stdout.toString()).toMatch(/^m1 has been removed\n/);
    // What was taken out can be put in again, and is a spare then.
    expect((await ask("add", "--device", "m1")).stdout.toString()).toMatch(
      /^m1 has been added\nmd\/data: clean, 3 of 3 devices active, 1 spare\n/,
    );
    expect((await ask("remove", "--device", "m1")).stdout.toString()).toMatch(/^m1 has been removed\n/);
    const checked = await ask("check", "--json");
    expect(checked.status).toBe(0);
    const { array } = JSON.parse(checked.stdout.toString()) as Answer;
    expect(array.state).toBe("clean");
    expect(array.members.map(({ state }) => state)).toEqual(Array.from({ length: 3 }, () => "active sync"));

    const refused = await ask("remove", "--device", "m0");
    expect(refused).toMatchObject({ status: 1, stderr: expect.stringMatching(/fail it first/) as string });
    const busy = await run(["raid", "check", "m0", "m2", "new"], { cwd });
    expect(busy.stderr).toMatch(/already being written by another process; .* name its socket: --array PATH/);

    // The NBD socket is as good: the control socket stands beside it.
    expect(await run(["raid", "stop", "--array", "md.sock"], { cwd })).toMatchObject({ status: 0 });
    expect(await server.ended).toMatchObject({ status: 0 });
    expect(existsSync(join(cwd, control))).toBe(false);
    const after = await run(["raid", "detail", "m0", "new", "m2", "--json"], { cwd });
    expect((JSON.parse(after.stdout.toString()) as Answer).array.state).toBe("clean");
  });

  test("outlives clients that say what nobody understands", async () => {
    const { cwd, control, server } = await serveArray();
    const path = join(cwd, control);
    for (const line of [
      "hello\n",
      "[]\n",
      '{"request":{"command":"format"}}\n',
      '{"request":{"command":"add"}}\n',
    ]) {
      expect(await talk(path, line)).toMatch(
        /^\{"protocol":"cev-raid-control",.*\n\{"error":\{"code":"CEV_PROTOCOL"/,
      );
    }
    expect(await talk(path, "x".repeat((1 << 20) + 1))).toMatch(/a line has no end/);
    server.child.kill("SIGTERM");
    const { status, stderr } = await server.ended;
    expect(stderr).toBe("");
    expect(status).toBe(0);
  });
});

test("a server that is to speak JSON says in one line where it is", async () => {
  const cwd = temporaryFolder();
  await run(["raid", "create", "data", "--level", "1", "--make-images", "4M", "a", "b"], { cwd });
  const args = ["raid", "assemble", "a", "b", "--listen", "127.0.0.1:0", "--control", "c", "--json"];
  const server = new Command(args, { cwd });
  onTestFinished(() => void server.child.kill("SIGKILL"));
  const [line] = await server.until(/^.*\n/);
  expect(JSON.parse(line)).toMatchObject({
    array: { device: "md/data", state: "clean" },
    uri: expect.stringMatching(/^nbd:\/\/127\.0\.0\.1:\d+\/$/) as string,
    control: "c",
    problems: [],
  });
  await run(["raid", "stop", "--array", "c"], { cwd });
  expect(await server.ended).toMatchObject({ status: 0, stdout: Buffer.from(line), stderr: "" });
});

test("a control socket whose place is taken ends the server at once, with its array stopped and no socket left", async () => {
  const cwd = temporaryFolder();
  await run(["raid", "create", "data", "--level", "1", "--make-images", "4M", "a", "b"], { cwd });
  writeFileSync(join(cwd, "taken"), "mine");
  const args = ["raid", "assemble", "a", "b", "--socket", "md.sock", "--control", "taken"];
  const { status, stderr } = await new Command(args, { cwd }).ended;
  expect({ status, stderr }).toEqual({ status: 1, stderr: expect.stringMatching(/taken/) as unknown });
  expect(existsSync(join(cwd, "md.sock"))).toBe(false);
  const { stdout } = await run(["raid", "detail", "a", "b", "--json"], { cwd });
  expect(JSON.parse(stdout.toString())).toMatchObject({ array: { state: "clean" } });
});

describe("--array", () => {
  test("where nobody serves, or something else, says so", async () => {
    const cwd = temporaryFolder();
    const nobody = await run(["raid", "detail", "--array", "none.sock"], { cwd });
    expect(nobody.stderr).toMatch(/none\.sock: no array is served there; start one with cev raid assemble/);
    // No end of a line, and no end: as a server of NBD waits for its client.
    const other = createServer((socket) => void socket.write("NBDMAGICIHAVEOPT\0\u0003"));
    await new Promise<void>((resolve) => void other.listen(join(cwd, "nbd.sock"), resolve));
    onTestFinished(() => void other.close());
    const odd = await run(["raid", "detail", "--array", "nbd.sock"], { cwd });
    expect(odd.stderr).toMatch(
      /^cev: nbd\.sock: no array is served there, but something else is; start one with/,
    );
    expect(odd.status).toBe(1);
  });

  test("goes instead of members, not beside them", async () => {
    for (const args of [
      ["check"],
      ["check", "m0", "--array", "s"],
      ["detail"],
      ["detail", "m0", "--array", "s"],
    ]) {
      const { stderr, status } = await run(["raid", ...args]);
      expect(stderr).toMatch(/^cev: name either the members of an array, or with --array one that is served/);
      expect(status).toBe(2);
    }
  });
});
