import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { connect } from "node:net";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";

interface Run {
  readonly child: ChildProcess;
  /** Resolves with what has been said so far, once the words are there. */
  until(words: RegExp): Promise<string>;
  readonly ended: Promise<{ readonly status: number | null; readonly output: string }>;
}

function start(...args: string[]): Run {
  const child = spawn(
    process.execPath,
    [
      "--conditions=@cev/source",
      "--disable-warning=ExperimentalWarning",
      join(import.meta.dirname, "main.ts"),
      ...args,
    ],
    { stdio: ["ignore", "pipe", "pipe"] },
  );
  let output = "";
  const waiting: { readonly words: RegExp; readonly resolve: (text: string) => void }[] = [];
  const hear = (text: string): void => {
    output += text;
    for (const { words, resolve } of waiting) if (words.test(output)) resolve(output);
  };
  child.stdout.setEncoding("utf8").on("data", hear);
  child.stderr.setEncoding("utf8").on("data", hear);
  const ended = once(child, "close").then(() => ({ status: child.exitCode, output }));
  return {
    child,
    ended,
    until: (words) => {
      const said = new Promise<string>((resolve) => {
        waiting.push({ words, resolve });
        hear("");
      });
      const early = ended.then(() =>
        Promise.reject(new Error(`it ended before ${String(words)}:\n${output}`)),
      );
      return Promise.race([said, early]);
    },
  };
}

const folderOf = (output: string): string => dirname(/socket=([^']+)'/.exec(output)?.[1] ?? "");

describe("the main job", () => {
  test("opens four disks of a kernel, reads the ext4 in them, and says how to go on", async () => {
    const { status, output } = await start("--once").ended;
    expect(output).toMatch(/luks\/[-0-9a-f]{36} +\? +crypt +locked/);
    expect(output).toMatch(/vg0\/root +16 MiB/);
    expect(output.match(/as the kernel wrote it/g)).toHaveLength(4);
    expect(output).toMatch(/nbdinfo 'nbd\+unix:/);
    expect(output).toMatch(/disk3\.img +[1-9]/);
    expect(status).toBe(0);
    expect(existsSync(folderOf(output))).toBe(false);
  });

  test("serves the volume until Ctrl-C, and leaves nothing behind", async () => {
    const run = start();
    const folder = folderOf(await run.until(/What each layer does/));
    const client = connect(join(folder, "nbd.sock"));
    const [greeting] = (await once(client, "data")) as [Buffer];
    expect(greeting.toString("latin1", 0, 16)).toBe("NBDMAGICIHAVEOPT");
    client.destroy();
    run.child.kill("SIGINT");
    expect((await run.ended).status).toBe(0);
    expect(existsSync(folder)).toBe(false);
  });
});
