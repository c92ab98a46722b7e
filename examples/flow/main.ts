// The flow in one specific scenario: one write through lvm, crypt and raid5 over four files.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { unpackGolden } from "../../tests/interop/golden/unpack.ts";
import { drawPassing, drawPicture, drawStep } from "./draw.ts";
import { watchOneWrite } from "./flow.ts";

const folder = mkdtempSync(join(tmpdir(), "cev-flow-"));
try {
  const { manifest, images } = unpackGolden("stack", folder);
  const { devices, offset, length, passings, pictures, steps } = await watchOneWrite(
    images,
    manifest.passphrase!,
  );
  print(
    "The stack, uppermost first",
    devices.map(({ name, driver, lowers }) =>
      lowers.length === 0 ? `${name} (${driver})` : `${name} (${driver}) on ${lowers.join(", ")}`,
    ),
  );
  print(
    `A write of ${length} bytes at ${offset} goes down (↓) and comes back (↑)`,
    passings.map(drawPassing),
  );
  print(
    "Who waits for whom, while it is under way",
    pictures.flatMap((picture) => [...drawPicture(picture), ""]),
  );
  print("The completion: of each event the newest action runs first, waiters last", steps.map(drawStep));
} finally {
  rmSync(folder, { recursive: true, force: true });
}

function print(title: string, lines: readonly string[]): void {
  process.stdout.write(`\n== ${title}\n\n${lines.join("\n")}\n`);
}
