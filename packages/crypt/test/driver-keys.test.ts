import { Device, environmentFrom, isCevError } from "@cev/core";
import type { KeyQuestion, KeyVault, OpenedDevice } from "@cev/core";
import { MemoryLayer } from "@cev/test-kit";
import { describe, expect, test } from "vitest";
import { cryptDriver, openPlain } from "../src/index.ts";
import { changeMetadata, goldenImage } from "./luks2-image.ts";
import { openContext } from "./open-context.ts";
import type { ContextSettings } from "./open-context.ts";

const environment = environmentFrom(globalThis);
const golden = goldenImage();
const right = golden.passphrase;
const wrong = Buffer.from("wrong");
const PLAIN = { cipher: "aes-xts-plain64", keySize: 32, hash: "sha256" };

const layerOf = (contents: Uint8Array): MemoryLayer =>
  new MemoryLayer(environment, { size: contents.length, contents });

async function open(image: Uint8Array, settings: ContextSettings): Promise<OpenedDevice> {
  const { context } = openContext(layerOf(image), environment, settings);
  const [opened] = await cryptDriver.open(context);
  return opened!;
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  const error: unknown = await promise.then(
    () => null,
    (reason: unknown) => reason,
  );
  if (!isCevError(error)) throw new Error(`no coded error, but ${String(error)}`);
  return error.code;
}

/** Somebody who gives these answers, and the questions that were asked. */
function person(...answers: readonly (Uint8Array | null)[]): {
  readonly ask: (question: KeyQuestion) => Promise<Uint8Array | null>;
  readonly questions: KeyQuestion[];
} {
  const questions: KeyQuestion[] = [];
  const ask = (question: KeyQuestion): Promise<Uint8Array | null> => {
    questions.push(question);
    return Promise.resolve(answers[questions.length - 1] ?? null);
  };
  return { ask, questions };
}

class Vault implements KeyVault {
  readonly kept = new Map<string, Uint8Array>();
  recalled = 0;

  recall(name: string): Uint8Array | null {
    const key = this.kept.get(name);
    if (key === undefined) return null;
    this.recalled++;
    return Uint8Array.from(key);
  }

  keep(name: string, key: Uint8Array): void {
    this.kept.set(name, Uint8Array.from(key));
  }
}

describe("a person", () => {
  test("is asked where no key was given, again while the answer is wrong, and every answer is wiped", async () => {
    const answers = [wrong, right].map((key) => Uint8Array.from(key));
    const { ask, questions } = person(...answers);
    const opened = await open(golden.bytes, { keySource: { ask } });
    expect(opened.details["keyslot"]).toBe(0);
    expect(questions.map(({ attempt }) => attempt)).toEqual([0, 1]);
    expect(questions[0]!.name).toBe("luks/59babd93-29fa-45a8-9320-f0027bdb3e5e on disk0.img");
    for (const answer of answers) expect(answer.every((byte) => byte === 0)).toBe(true);
  });

  test("is asked three times at most, and not when there is no answer", async () => {
    const stubborn = person(...Array.from({ length: 9 }, () => Uint8Array.from(wrong)));
    expect(await codeOf(open(golden.bytes, { keySource: stubborn }))).toBe("CEV_WRONG_KEY");
    expect(stubborn.questions).toHaveLength(3);
    const silent = person(null);
    expect(await codeOf(open(golden.bytes, { keySource: silent }))).toBe("CEV_KEY_REQUIRED");
    expect(silent.questions).toHaveLength(1);
  });

  test("is not asked where a key was given, right or wrong", async () => {
    const { ask, questions } = person(Uint8Array.from(right));
    await open(golden.bytes, { keys: [right], keySource: { ask } });
    expect(await codeOf(open(golden.bytes, { keys: [wrong], keySource: { ask } }))).toBe("CEV_WRONG_KEY");
    expect(questions).toEqual([]);
  });

  test("is asked for the passphrase of a plain device once, however often that is opened", async () => {
    const { ask, questions } = person(Uint8Array.from(right));
    const vault = new Vault();
    const settings = { keySource: { ask, vault }, options: { plain: PLAIN } };
    const first = await open(new Uint8Array(8192), settings);
    const second = await open(new Uint8Array(8192), settings);
    expect(questions).toHaveLength(1);
    const read = async ({ layer }: OpenedDevice): Promise<Uint8Array> => {
      await using device = await Device.open(layer, environment, { isReadOnly: true });
      return await device.read(0, 8192);
    };
    const expected = openPlain(layerOf(new Uint8Array(8192)), { environment, ...PLAIN, passphrase: right });
    await using device = await Device.open(expected, environment, { isReadOnly: true });
    expect(await read(first)).toEqual(await device.read(0, 8192));
    expect(await read(second)).toEqual(await device.read(0, 8192));
  });
});

describe("what was derived once", () => {
  test("is taken from the vault, also without any key", async () => {
    const vault = new Vault();
    await open(golden.bytes, { keys: [right], keySource: { vault } });
    const again = await open(golden.bytes, { keySource: { vault } });
    expect(again.details["keyslot"]).toBe(0);
    expect(vault.recalled).toBe(1);
  });

  test("opens no other device, and none whose digest has changed", async () => {
    const vault = new Vault();
    await open(golden.bytes, { keys: [right], keySource: { vault } });
    const changed = changeMetadata(golden.bytes.slice(), (metadata) => {
      metadata["digests"]!["0"]!["salt"] = Buffer.alloc(32, 7).toString("base64");
    });
    expect(await codeOf(open(changed, { keySource: { vault } }))).toBe("CEV_KEY_REQUIRED");
    const other = goldenImage("luks-4096");
    expect(await codeOf(open(other.bytes, { keySource: { vault } }))).toBe("CEV_KEY_REQUIRED");
    expect(vault.recalled).toBe(0);
  });

  test("names no secret", async () => {
    const vault = new Vault();
    await open(golden.bytes, { keys: [right], keySource: { vault } });
    const [[name, key]] = [...vault.kept] as [[string, Uint8Array]];
    expect(name).not.toContain(Buffer.from(key.subarray(1)).toString("hex"));
    expect(name).not.toContain(Buffer.from(right).toString());
  });
});

test("a signal ends the opening, and nobody is asked any more", async () => {
  const aborted = AbortSignal.abort();
  const { ask, questions } = person(Uint8Array.from(right));
  expect(await codeOf(open(golden.bytes, { keys: [right], signal: aborted }))).toBe("CEV_CANCELLED");
  expect(await codeOf(open(golden.bytes, { keySource: { ask }, signal: aborted }))).toBe("CEV_CANCELLED");
  expect(questions).toEqual([]);
});

describe("a keyslot by number", () => {
  test("is the only one that is tried, also where it is to be ignored", async () => {
    const ignored = changeMetadata(golden.bytes.slice(), (m) => (m["keyslots"]!["0"]!["priority"] = 0));
    expect(await codeOf(open(ignored, { keys: [right] }))).toBe("CEV_WRONG_KEY");
    expect((await open(ignored, { keys: [right], options: { keyslot: 0 } })).details["keyslot"]).toBe(0);
  });

  test("that is not there: CEV_INVALID", async () => {
    expect(await codeOf(open(golden.bytes, { keys: [right], options: { keyslot: 1 } }))).toBe("CEV_INVALID");
  });
});

describe("a plain device", () => {
  const key = Buffer.alloc(32, 5);
  const image = new Uint8Array(8192);

  async function firstBytes(settings: ContextSettings): Promise<string> {
    const { layer } = await open(image, settings);
    await using device = await Device.open(layer, environment, { isReadOnly: true });
    return Buffer.from(await device.read(0, 512)).toString("hex");
  }

  test("hashes a passphrase, and takes a key file as it is", async () => {
    const options = { plain: PLAIN };
    const asPassphrase = await firstBytes({ keys: [key], options });
    const asKeyFile = await firstBytes({ keys: [key], keySource: { keyFiles: [key] }, options });
    expect(asPassphrase).not.toBe(asKeyFile);
    const layer = openPlain(layerOf(image), { environment, ...PLAIN, key });
    await using device = await Device.open(layer, environment, { isReadOnly: true });
    expect(asKeyFile).toBe(Buffer.from(await device.read(0, 512)).toString("hex"));
  });

  test("is not opened by guess where several keys were given", async () => {
    expect(await codeOf(open(image, { keys: [key, right], options: { plain: PLAIN } }))).toBe(
      "CEV_AMBIGUOUS",
    );
    // Those of its own entry come first, and are meant.
    const own = { plain: PLAIN, passphrase: { file: "p" } };
    expect(await firstBytes({ keys: [key, right], options: own })).toBe(
      await firstBytes({ keys: [key], options: { plain: PLAIN } }),
    );
    const both = { ...own, keyFile: "k" };
    expect(await codeOf(open(image, { keys: [key, right], options: both }))).toBe("CEV_AMBIGUOUS");
  });

  test("has no header beside it", async () => {
    const settings = { keys: [key], header: layerOf(image), options: { plain: PLAIN } };
    expect(await codeOf(open(image, settings))).toBe("CEV_INVALID");
  });

  test("is described so that the description opens it again, and tells its facts", async () => {
    const plain = { ...PLAIN, offset: 4096, size: 2048, skip: 512, sectorSize: 512, largeIvs: false };
    const { layer, name, details } = await open(image, { keys: [key], options: { plain } });
    expect(name).toBeNull();
    expect(details).toMatchObject({
      version: "plain",
      cipher: "aes-xts-plain64",
      keyBits: 256,
      dataOffset: 4096,
    });
    expect(layer.describe().options).toMatchObject({ plain });
    expect(cryptDriver.options["~standard"].validate(layer.describe().options)).not.toHaveProperty("issues");
  });

  test("asks for all that makes sense, and names what does not", () => {
    const pathsOf = (options: object): string[] => {
      const result = cryptDriver.options["~standard"].validate(options);
      if (result instanceof Promise) throw new Error("not expected");
      return (result.issues ?? []).map(({ path }) => (path as string[]).join("."));
    };
    expect(pathsOf({ plain: PLAIN })).toEqual([]);
    expect(pathsOf({ plain: {} })).toEqual(["plain.cipher", "plain.keySize"]);
    expect(pathsOf({ plain: "aes" })).toEqual(["plain"]);
    expect(pathsOf({ plain: { ...PLAIN, ofset: 512 } })).toEqual(["plain.ofset"]);
    expect(pathsOf({ plain: { ...PLAIN, offset: 7, hash: "" } })).toEqual(["plain.hash", "plain.offset"]);
    expect(pathsOf({ plain: { ...PLAIN, hash: undefined }, passphrase: { file: "p" } })).toEqual([
      "plain.hash",
    ]);
    expect(pathsOf({ plain: PLAIN, keyslot: 0 })).toEqual(["keyslot"]);
    expect(pathsOf({ keyFileSize: 32 })).toEqual(["keyFileSize"]);
    expect(pathsOf({ keyFile: "k", keyFileSize: 0, keyFileOffset: -1 })).toEqual([
      "keyFileOffset",
      "keyFileSize",
    ]);
    expect(pathsOf({ keyslot: 32 })).toEqual(["keyslot"]);
  });
});
