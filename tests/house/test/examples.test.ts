import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { filesBelow, readText, top } from "../source-files.ts";

describe.each(readdirSync(join(top, "examples")))("examples/%s", (name) => {
  test("is a private package with a program and a test that runs it", () => {
    const manifest = JSON.parse(readText(`examples/${name}/package.json`)) as {
      name: string;
      private?: boolean;
    };
    expect(manifest).toMatchObject({ name: `@cev/example-${name}`, private: true });
    expect(filesBelow(`examples/${name}`, (path) => path.endsWith(".test.ts"))).not.toEqual([]);
  });

  test("has a README, and the top README names it", () => {
    // A title, and a command among the lines.
    expect(readText(`examples/${name}/README.md`)).toMatch(/^# \S[^]*\n {4}(node|npm|pnpm) /);
    expect(readText(`examples/${name}/README.md`)).not.toMatch(
      /^ {4}node main\.ts((?!# Node 24 or newer).)*$/m,
    );
    expect(readText("README.md")).toContain(`| [\`${name}\`](examples/${name}) | `);
  });
});
