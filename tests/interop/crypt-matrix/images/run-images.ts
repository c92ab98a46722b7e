import { createHash } from "node:crypto";
import { mkdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { Device, isCevError } from "@cev/core";
import { runOracle } from "../../oracle/run-oracle.ts";
import { sha256 } from "../../matrix/hash.ts";
import { environment, openByDriver } from "../exchange/device.ts";
import { GappedLayer } from "../exchange/gapped-layer.ts";
import { failureOf } from "../../matrix/failure-of.ts";
import type { Verdict } from "../verdict.ts";
import { ImageFolder } from "./image-files.ts";
import type { ImageFiles } from "./image-files.ts";
import { SUITE } from "./suite.ts";
import type { SuiteImage } from "./suite.ts";

const SERIALS_AT = [0x27, 0x43];

/** What cev made of an image. */
interface Outcome {
  readonly image: SuiteImage;
  readonly files: ImageFiles;
  /** Of the plaintext; null: refused. */
  readonly sha256: string | null;
  readonly failures: readonly string[];
}

/** Opens every image of cryptsetup's tests, `suite` being their folder, and has the kernel say what those hold that are opened. */
export async function runImages(suite: string, folder: string): Promise<Verdict[]> {
  const own = join(folder, "images");
  mkdirSync(own);
  const unpacked = new ImageFolder(suite, own);
  const outcomes: Outcome[] = [];
  for (const image of SUITE) outcomes.push(await lookAt(image, await unpacked.unpack(image)));
  const hashes = await hashesInKernel(
    own,
    outcomes.filter((one) => one.sha256 !== null),
  );
  return outcomes.map(({ image, sha256: found, failures }) => {
    const expected = hashes.get(image);
    const all =
      found === null || expected === found
        ? failures
        : [
            ...failures,
            expected === undefined ? "the kernel does not open it" : "the kernel reads otherwise",
          ];
    return { way: "images", kind: image.file, id: image.name, isRefused: false, failures: all, log: "" };
  });
}

async function lookAt(image: SuiteImage, files: ImageFiles): Promise<Outcome> {
  const { expected, words = [], serial } = image;
  const bytes = Uint8Array.from(readFileSync(files.image));
  const before = sha256(bytes);
  const failures: string[] = [];
  let found: string | null = null;
  try {
    const hash = createHash("sha256");
    const first = await readPlaintext(bytes, readFileSync(files.key), (data) => hash.update(data));
    found = hash.digest("hex");
    if (serial !== undefined && !SERIALS_AT.some((at) => Buffer.from(first).readUInt32LE(at) === serial))
      failures.push("the file system has another serial number");
    if (expected !== "open") failures.push("it is opened");
  } catch (error) {
    if (!isExpected(error, expected, words)) failures.push(failureOf(error));
  }
  if (sha256(bytes) !== before) failures.push("it was written");
  return { image, files, sha256: found, failures };
}

/** Gives the first bytes. */
async function readPlaintext(
  image: Uint8Array,
  key: Uint8Array,
  take: (data: Uint8Array) => void,
): Promise<Uint8Array> {
  const call = { options: {}, keys: [key], areKeyFiles: true, isReadOnly: true };
  const layer = await openByDriver([new GappedLayer(image, null)], call);
  await using device = await Device.open(layer, environment, { isReadOnly: true });
  const first = await device.read(0, 512);
  for await (const { data } of device.chunks()) take(data);
  return first;
}

function isExpected(error: unknown, expected: SuiteImage["expected"], words: readonly string[]): boolean {
  if (!isCevError(error) || expected === "open") return false;
  return (
    expected.includes(error.code) &&
    (words.length === 0 || words.some((word) => error.message.includes(word)))
  );
}

/** What the kernel reads of images, in one start of it. */
async function hashesInKernel(
  folder: string,
  outcomes: readonly Outcome[],
): Promise<ReadonlyMap<SuiteImage, string>> {
  const calls = outcomes.map(({ files: { image, key } }, number) =>
    ["look", `${number}`, relative(folder, image), relative(folder, key)]
      .map((word) => `'${word}'`)
      .join(" "),
  );
  const script = `
look() {
  cryptsetup open --disable-locks --readonly --key-file "$3" "$2" "p$1" || return 0
  echo "hash $1 $(sha256sum </dev/mapper/p"$1" | cut -d' ' -f1)"
  cryptsetup close "p$1"
}
${calls.join("\n")}`;
  const { stdout } = await runOracle({ script, work: folder, timeoutMs: 300_000 });
  const found = new Map<SuiteImage, string>();
  for (const [, number, hash] of stdout.matchAll(/^hash (\d+) ([0-9a-f]{64})$/gm))
    found.set(outcomes[Number(number)]!.image, hash!);
  return found;
}
