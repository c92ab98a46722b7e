import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { cev, golden, shellCommand } from "./helpers.ts";

describe("an empty word on the command line", () => {
  test.each([
    [["inspect", ""], "a source is empty; see cev inspect --help"],
    [["inspect", "a.img", "--key-file", ""], "--key-file is empty; see cev inspect --help"],
    [["copy", "a.img", "--device", "", "--to", "-"], "--device is empty; see cev copy --help"],
    [["copy", "a.img", "--device", "x", "--to", ""], "--to is empty; see cev copy --help"],
    [["copy", "a.img", "--device", "x", "--from", ""], "--from is empty; see cev copy --help"],
    [["serve", "a.img", "--socket", ""], "--socket is empty; see cev serve --help"],
    [["serve", "a.img", "--socket", "s", "--device", ""], "--device is empty; see cev serve --help"],
  ])("is called out: %j", async (args, message) => {
    expect(await cev(args)).toMatchObject({ status: 2, stderr: `cev: ${message}\n` });
  });
});

describe.skipIf(!existsSync("/dev/full"))("standard output without room", () => {
  test.each(["copy --device vg2/data --to -", "inspect", "inspect --json"])("is told of: %s", (command) => {
    const { images } = golden("gpt");
    const { stderr, status } = spawnSync(
      "sh",
      ["-c", `${shellCommand} ${command} ${images.join(" ")} >/dev/full`],
      { encoding: "utf8" },
    );
    expect(stderr).toBe("cev: standard output: no room is left\n");
    expect(status).toBe(1);
  });
});
