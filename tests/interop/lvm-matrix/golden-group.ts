import { readFileSync } from "node:fs";
import { brotliDecompressSync } from "node:zlib";
import { readGoldenManifest } from "../golden/unpack.ts";
import { dependenciesOf } from "./dependencies.ts";
import type { KernelGroup } from "./from-kernel.ts";
import type { GroupShape } from "./shapes.ts";

const GOLDEN = new URL("../golden/", import.meta.url);

/** The golden set of a shape, in memory. */
export function readGoldenGroup(shape: GroupShape): KernelGroup {
  const name = `lvm-${shape.name.replaceAll("_", "-")}`;
  const { images, layers, facts } = readGoldenManifest(name);
  const rows = Object.entries(facts).flatMap(([fact, line]) =>
    fact.startsWith("lvs.") ? [line.split("|")] : [],
  );
  const devices = images.map((_, index) => `/dev/ubd${String.fromCharCode(97 + index)}`);
  return {
    shape,
    images: images.map(
      ({ file }) => new Uint8Array(brotliDecompressSync(readFileSync(new URL(`${name}/${file}.br`, GOLDEN)))),
    ),
    volumes: new Map(
      layers.map(({ name: layer, size, sha256 }) => [layer.replace(/^vg\//, ""), { size, sha256 }]),
    ),
    dependencies: dependenciesOf(rows, devices),
  };
}
