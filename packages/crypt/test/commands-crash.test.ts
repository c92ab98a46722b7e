import { environmentFrom } from "@cev/core";
import type { Layer } from "@cev/core";
import { MemoryLayer } from "@cev/test-kit";
import { describe, expect, test } from "vitest";
import {
  luksAddKey,
  luksChangeKey,
  luksErase,
  luksFormat,
  luksHeaderBackup,
  luksHeaderRestore,
  luksKillSlot,
  luksRemoveKey,
} from "../src/index.ts";
import type { LuksFormatOptions } from "../src/index.ts";
import { Opener } from "./luks1-image.ts";
import { WriteRecorder } from "./write-recorder.ts";

const environment = environmentFrom(globalThis);
const KIB = 1024;
const cost = { type: "pbkdf2", hash: "sha256", iterations: 1000 } as const;
const key = (text: string): Uint8Array => Buffer.from(text);
/** A volume key is never what decides here: one for all makes images alike. */
const volumeKey = new Uint8Array(16).fill(0x6b);

type Version = 1 | 2;

/** Areas of keyslots as small as they come: 64 KiB; of LUKS2 four of them. */
function shapeOf(version: Version): Omit<LuksFormatOptions, "environment" | "keys"> {
  const common = { version, encryption: "aes-cbc-plain64", cost, volumeKey };
  const dataOffset = sizeOf(version) - 4 * KIB;
  return version === 1 ? { ...common, dataOffset } : { ...common, dataOffset, keyslotsSize: 256 * KIB };
}

function sizeOf(version: Version): number {
  return version === 1 ? (4 + 8 * 64 + 4) * KIB : (32 + 256 + 4) * KIB;
}

const made = new Map<string, Promise<Uint8Array>>();

/** An image of one's own with a keyslot for each passphrase. */
async function imageOf(
  version: Version,
  texts: readonly string[],
  size = sizeOf(version),
): Promise<Uint8Array> {
  const name = JSON.stringify([version, texts, size]);
  let image = made.get(name);
  if (image === undefined) {
    const make = async (): Promise<Uint8Array> => {
      const lower = new MemoryLayer(environment, { size });
      await luksFormat(lower, { environment, keys: texts.map(key), ...shapeOf(version) });
      return lower.bytes;
    };
    made.set(name, (image = make()));
  }
  return (await image).slice();
}

interface Cuts {
  /** For each image: which of the passphrases open it, as text, or the code of the error that kept all out. */
  readonly outcomes: ReadonlySet<string>;
  readonly last: string;
  readonly after: Uint8Array;
}

/** Does something on a disk, and looks at all that a power cut could have left of it. */
async function eachCut(
  image: Uint8Array,
  texts: readonly string[],
  work: (lower: Layer) => Promise<unknown>,
): Promise<Cuts> {
  const lower = new WriteRecorder(environment, image);
  await work(lower);
  expect(lower.writeCount).toBeGreaterThan(1);
  const opener = new Opener();
  const outcomes = new Set<string>();
  let last = "";
  for (const crash of lower.crashImages(1, 4)) {
    const all = await opener.openAll(crash.image, texts);
    const opening = texts.filter((_, index) => typeof all[index] === "number");
    last = opening.length > 0 ? opening.join(" ") : String(all[0]);
    outcomes.add(last);
  }
  return { outcomes, last, after: lower.bytes };
}

describe.each([1, 2] as const)(
  "LUKS%i, the power cut at any write, sectors torn, what was not flushed lost in part",
  (version) => {
    test("luksAddKey: the old key always opens", async () => {
      const { outcomes, last } = await eachCut(await imageOf(version, ["a"]), ["a", "b"], (lower) =>
        luksAddKey(lower, { environment, keys: [key("a")], newKey: key("b"), cost }),
      );
      expect([...outcomes].toSorted()).toEqual(["a", "a b"]);
      expect(last).toBe("a b");
    });

    test.each([undefined, 0])(
      "luksChangeKey: the old key opens, or the new one (keyslot %s)",
      async (keyslot) => {
        const choice = keyslot === undefined ? {} : { keyslot };
        const { outcomes, last } = await eachCut(await imageOf(version, ["a"]), ["a", "b"], (lower) =>
          luksChangeKey(lower, { environment, key: key("a"), newKey: key("b"), cost, ...choice }),
        );
        expect(["a", "b", "a b"]).toEqual(expect.arrayContaining([...outcomes]));
        expect(outcomes).toContain("a");
        expect(last).toBe("b");
      },
    );

    test("luksRemoveKey: the other key always opens", async () => {
      const { outcomes, after } = await eachCut(await imageOf(version, ["a", "b"]), ["b"], (lower) =>
        luksRemoveKey(lower, { environment, key: key("a") }),
      );
      expect([...outcomes]).toEqual(["b"]);
      expect(await new Opener().openAll(after, ["a", "b"])).toEqual(["CEV_WRONG_KEY", 1]);
    });

    test("luksKillSlot: the other key always opens", async () => {
      const { outcomes, after } = await eachCut(await imageOf(version, ["a", "b"]), ["a"], (lower) =>
        luksKillSlot(lower, { environment, keyslot: 1, keys: [key("a")] }),
      );
      expect([...outcomes]).toEqual(["a"]);
      expect(await new Opener().openAll(after, ["a", "b"])).toEqual([0, "CEV_WRONG_KEY"]);
    });

    test("luksErase: there is a header at every moment, and no key at the end", async () => {
      const { outcomes, last } = await eachCut(await imageOf(version, ["a", "b"]), ["a"], (lower) =>
        luksErase(lower, { environment }),
      );
      expect([...outcomes].toSorted()).toEqual(["CEV_WRONG_KEY", "a"]);
      expect(last).toBe("CEV_WRONG_KEY");
    });

    test("luksHeaderRestore over changed keys: an old key opens, or a restored one", async () => {
      const image = await imageOf(version, ["a", "b"]);
      const backup = await backupOf(image);
      const source = { name: "backup", size: backup.length, read: reader(backup) };
      const lower = new MemoryLayer(environment, { size: image.length, contents: image });
      // Twice, so that they are where they were, and hold something else.
      for (const [from, to] of ["ax", "xA", "by", "yB"])
        await luksChangeKey(lower, {
          environment,
          key: key(from!),
          newKey: key(to!),
          keyslot: "axA".includes(from!) ? 0 : 1,
          cost,
        });
      const { outcomes, last, after } = await eachCut(lower.bytes, ["a", "b", "A", "B"], (device) =>
        luksHeaderRestore(device, { environment, backup: source }),
      );
      expect([...outcomes].filter((outcome) => outcome.startsWith("CEV_") || outcome === "none")).toEqual([]);
      expect(last).toBe("a b");
      expect(Buffer.compare(after.subarray(0, backup.length), backup)).toBe(0);
    });

    test("luksFormat over another header: the former opens, or none, or the new one", async () => {
      for (const former of [1, 2] as const) {
        const size = Math.max(sizeOf(1), sizeOf(2));
        const { outcomes, last } = await eachCut(await imageOf(former, ["a"], size), ["a", "n"], (lower) =>
          luksFormat(lower, { environment, keys: [key("n")], ...shapeOf(version) }),
        );
        expect(["a", "n", "none", "CEV_BAD_METADATA"]).toEqual(expect.arrayContaining([...outcomes]));
        expect(outcomes).toContain("a");
        expect(last).toBe("n");
      }
    });
  },
);

test("a header that is restored where there was none is there only when its keyslots are", async () => {
  for (const version of [1, 2] as const) {
    const image = await imageOf(version, ["a"]);
    const backup = { name: "backup", size: image.length, read: reader(image) };
    const { outcomes, last } = await eachCut(new Uint8Array(image.length), ["a"], (lower) =>
      luksHeaderRestore(lower, { environment, backup, allowForeign: true }),
    );
    expect(["a", "none", "CEV_BAD_METADATA"]).toEqual(expect.arrayContaining([...outcomes]));
    expect(last).toBe("a");
  }
});

function reader(bytes: Uint8Array): (offset: number, length: number) => Promise<Uint8Array> {
  return (offset, length) => Promise.resolve(bytes.subarray(offset, offset + length));
}

/** The bytes of a backup of the header in an image. */
async function backupOf(image: Uint8Array): Promise<Uint8Array> {
  const lower = new MemoryLayer(environment, { size: image.length, contents: image });
  const chunks: Uint8Array[] = [];
  for await (const chunk of luksHeaderBackup(lower, { environment })) chunks.push(chunk);
  return Buffer.concat(chunks);
}
