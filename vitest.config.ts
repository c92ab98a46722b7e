import { existsSync, readFileSync, readdirSync } from "node:fs";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";
import { keepCompiledModules } from "./scripts/compile-cache.ts";

/** Their tests start the command. */
const STARTING_CEV: readonly string[] = ["@cev/cli", "@cev/tests-interop"];

const conditions = ["@cev/source", "module", "node", "import", "default"];

/** Every workspace folder below `parent` is a vitest project named after its package. */
function projectsBelow(parent: string): { name: string; root: string }[] {
  const start = new URL(parent, import.meta.url);
  if (!existsSync(start)) return [];
  return readdirSync(start)
    .map((folder) => ({ folder, manifest: new URL(`${parent}/${folder}/package.json`, import.meta.url) }))
    .filter(({ manifest }) => existsSync(manifest))
    .map(({ folder, manifest }) => ({
      name: (JSON.parse(readFileSync(manifest, "utf8")) as { name: string }).name,
      root: `${parent}/${folder}`,
    }));
}

keepCompiledModules();

export default defineConfig({
  // Tests see the sources of other packages, so nothing needs a build first.
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    pool: "forks",
    // Many tests wait, for a kernel or a server in a process of its own or for time to pass: one worker more than there
    // are cores keeps all of them busy.
    maxWorkers: availableParallelism() + 1,
    passWithNoTests: true,
    // Relative to each project.
    coverage: {
      include: ["src/**/*.ts"],
      exclude: ["**/*.generated.ts"],
      reporter: ["text-summary", "html"],
    },
    // Ten times what the longest take: machines are slow, and do other things, too. What hangs is found all the same.
    testTimeout: 300_000,
    hookTimeout: 300_000,
    projects: ["packages", "examples", "tests"].flatMap(projectsBelow).map((project) => ({
      extends: true as const,
      root: project.root,
      test: {
        name: project.name,
        include: ["**/*.test.ts"],
        // Tests of new layers run with node:test, where those are packages of their own.
        exclude: ["**/node_modules/**", "**/dist/**", "**/templates/**", "**/cev-checksum/**"],
        globalSetup: STARTING_CEV.includes(project.name)
          ? fileURLToPath(new URL("scripts/bundle-cli.ts", import.meta.url))
          : [],
        // Several workers whose collectors have threads of their own get in one another's way: half of a test's time.
        // The second: tests that measure what is allocated see garbage of 8 MiB at the most.
        execArgv: ["--single-threaded-gc", "--max-semi-space-size=8"],
        setupFiles: fileURLToPath(new URL("scripts/compare-bytes.ts", import.meta.url)),
      },
    })),
  },
});
