import { Op, environmentFrom, isCevError } from "@cev/core";
import type { Layer } from "@cev/core";
import { FaultLayer, MemoryLayer } from "@cev/test-kit";
import type { Fault } from "@cev/test-kit";
import { describe, expect, test } from "vitest";
import {
  luksAddKey,
  luksChangeKey,
  luksErase,
  luksFormat,
  luksHeaderBackup,
  luksHeaderRestore,
  luksRemoveKey,
} from "../src/index.ts";
import { Opener } from "./luks1-image.ts";

const environment = environmentFrom(globalThis);
const KIB = 1024;
const SIZE = 640 * KIB;
const cost = { type: "pbkdf2", hash: "sha256", iterations: 1000 } as const;
const SMALL = { encryption: "aes-cbc-plain64", keySize: 16, dataOffset: 600 * KIB, cost } as const;
const key = (text: string): Uint8Array => Buffer.from(text);

interface Failing {
  readonly fault: Fault;
  readonly op?: Op;
  readonly countMax?: number;
}

/** The device is as good as gone from one request on; or one request fails, and all others are done. */
const FAULTS: readonly Failing[] = [
  { fault: { kind: "error", code: "CEV_IO" } },
  { fault: { kind: "half", code: "CEV_IO" }, op: Op.write, countMax: 1 },
  { fault: { kind: "errorAfter", code: "CEV_MEDIUM" }, op: Op.write, countMax: 1 },
  { fault: { kind: "error", code: "CEV_IO" }, op: Op.flush, countMax: 1 },
  { fault: { kind: "error", code: "CEV_MEDIUM" }, op: Op.read, countMax: 1 },
];

async function imageOf(version: 1 | 2, texts: readonly string[]): Promise<Uint8Array> {
  const lower = new MemoryLayer(environment, { size: SIZE });
  await luksFormat(lower, { environment, version, keys: texts.map(key), ...SMALL });
  return lower.bytes;
}

/** Fails the first request, then the second, until none is left to fail; and sees what is left each time. */
async function sweep(
  image: Uint8Array,
  texts: readonly string[],
  work: (lower: Layer) => Promise<unknown>,
): Promise<ReadonlySet<string>> {
  const opener = new Opener();
  const outcomes = new Set<string>();
  for (const failing of FAULTS) {
    for (let skipCount = 0; ; skipCount++) {
      const memory = new MemoryLayer(environment, { size: image.length, contents: image.slice() });
      const lower = new FaultLayer(memory, environment);
      lower.add({ ...failing, skipCount });
      let code = "";
      await work(lower).catch((error: unknown) => {
        if (!isCevError(error)) throw error;
        ({ code } = error);
      });
      expect(lower.claims.count).toBe(0);
      if (lower.faultCount === 0) break;
      // What cannot be read may be passed over (a header copy, a keyslot); a write that failed is never a success.
      if (failing.op === Op.write || failing.op === Op.flush)
        expect(code).toBe((failing.fault as { readonly code: string }).code);
      expect(code).not.toBe("CEV_PROGRAM");
      const all = await opener.openAll(memory.bytes, texts);
      const opening = texts.filter((_, index) => typeof all[index] === "number");
      outcomes.add(opening.length > 0 ? opening.join("") : String(all[0]));
    }
  }
  return outcomes;
}

describe.each([1, 2] as const)("LUKS%i on a device that fails, request by request", (version) => {
  test("luksAddKey leaves the old key", async () => {
    const outcomes = await sweep(await imageOf(version, ["a"]), ["a", "b"], (lower) =>
      luksAddKey(lower, { environment, keys: [key("a")], newKey: key("b"), cost }),
    );
    expect([...outcomes].toSorted()).toEqual(["a", "ab"]);
  });

  test("luksChangeKey leaves the old key or the new one", async () => {
    const outcomes = await sweep(await imageOf(version, ["a"]), ["a", "b"], (lower) =>
      luksChangeKey(lower, { environment, key: key("a"), newKey: key("b"), cost }),
    );
    expect(["a", "b", "ab"]).toEqual(expect.arrayContaining([...outcomes]));
  });

  test("luksRemoveKey leaves the other key", async () => {
    const outcomes = await sweep(await imageOf(version, ["a", "b"]), ["b"], (lower) =>
      luksRemoveKey(lower, { environment, key: key("a") }),
    );
    expect([...outcomes]).toEqual(["b"]);
  });

  test("luksErase leaves a header", async () => {
    const outcomes = await sweep(await imageOf(version, ["a"]), ["a"], (lower) =>
      luksErase(lower, { environment }),
    );
    expect([...outcomes].toSorted()).toEqual(["CEV_WRONG_KEY", "a"]);
  });

  test("luksHeaderRestore leaves a key of before or of the backup", async () => {
    const image = await imageOf(version, ["a"]);
    const lower = new MemoryLayer(environment, { size: SIZE, contents: image });
    const chunks: Uint8Array[] = [];
    for await (const chunk of luksHeaderBackup(lower, { environment })) chunks.push(chunk);
    const bytes = Buffer.concat(chunks);
    const read = (at: number, length: number): Promise<Uint8Array> =>
      Promise.resolve(Uint8Array.from(bytes.subarray(at, at + length)));
    const backup = { name: "backup", size: bytes.length, read };
    // Twice, so that the keyslot is where it was, and holds something else.
    for (const [from, to] of ["ax", "xb"])
      await luksChangeKey(lower, { environment, key: key(from!), newKey: key(to!), keyslot: 0, cost });
    const outcomes = await sweep(lower.bytes, ["a", "b"], (device) =>
      luksHeaderRestore(device, { environment, backup }),
    );
    expect(["a", "b", "ab"]).toEqual(expect.arrayContaining([...outcomes]));
    expect(outcomes).toContain("a");
  });
});
