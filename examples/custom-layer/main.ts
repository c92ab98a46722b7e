/**
 * A mirror over two disks with checksums reads what was written, though both of them rot.
 *
 *     node main.ts
 */
import { environmentFrom } from "@cev/core";
import { healRot } from "./heal.ts";

const { wrongWithSums } = await healRot(
  environmentFrom(globalThis),
  (line) => void process.stdout.write(`${line}\n`),
);
process.exitCode = wrongWithSums === 0 ? 0 : 1;
