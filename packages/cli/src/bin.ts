#!/usr/bin/env node
// Nothing else may be imported here: an older Node would stop at what it does not know, in many words.
const NODE_MAJOR_MIN = 22;

if (Number.parseInt(process.versions.node, 10) < NODE_MAJOR_MIN) {
  process.stderr.write(
    `cev: this is Node.js ${process.versions.node}, and cev needs ${NODE_MAJOR_MIN} or newer; see https://nodejs.org\n`,
  );
  process.exitCode = 1;
} else {
  const { runProcess } = await import("./run-process.ts");
  await runProcess();
}
