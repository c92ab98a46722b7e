import { Device, environmentFrom, formatError, isCevError } from "@cev/core";
import { FaultLayer, MemoryLayer } from "@cev/test-kit";
import { describe, expect, test } from "vitest";
import { cryptDriver } from "../src/index.ts";
import { decodeLuks2Header, encodeLuks2Header } from "../src/luks2/header.ts";
import { changeMetadata, goldenImage, jsonOf, putJson } from "./luks2-image.ts";
import type { Metadata } from "./luks2-image.ts";
import { openContext } from "./open-context.ts";
import type { ContextSettings } from "./open-context.ts";

const environment = environmentFrom(globalThis);
const UUID = "59babd93-29fa-45a8-9320-f0027bdb3e5e";
const golden = goldenImage();
const copy = (): Uint8Array => golden.bytes.slice();

async function probe(image: Uint8Array): Promise<Awaited<ReturnType<NonNullable<typeof cryptDriver.probe>>>> {
  await using device = await Device.open(
    new MemoryLayer(environment, { size: image.length, contents: image }),
    environment,
    {
      isReadOnly: true,
      name: "disk0.img",
    },
  );
  return await cryptDriver.probe!(device);
}

async function open(image: Uint8Array, settings: ContextSettings = {}) {
  const { context, problems } = openContext(
    new MemoryLayer(environment, { size: image.length, contents: image }),
    environment,
    {
      keys: [golden.passphrase],
      ...settings,
    },
  );
  const [opened] = await cryptDriver.open(context);
  return { opened: opened!, problems };
}

async function errorOf(promise: Promise<unknown>): Promise<{ code: string; text: string; place: object }> {
  const error: unknown = await promise.then(
    () => null,
    (reason: unknown) => reason,
  );
  if (!isCevError(error)) throw new Error(`no coded error, but ${String(error)}`);
  return { code: error.code, text: formatError(error), place: error.place };
}

describe("probe", () => {
  test("tells the facts that luksDump tells", async () => {
    const finding = await probe(copy());
    expect(finding).toMatchObject({
      summary: `LUKS2 ${UUID}, 1 keyslot`,
      group: null,
      details: {
        version: 2,
        uuid: UUID,
        cipher: "aes-xts-plain64",
        sectorSize: 512,
        dataOffset: 1_048_576,
        keyslots: [
          { id: 0, keyBits: 256, kdf: "pbkdf2", cost: "pbkdf2 sha512, 2000 iterations", isBound: true },
        ],
      },
    });
    expect(finding!.details["problem"]).toBeUndefined();
  });

  test("finds nothing where there is nothing, also on the smallest devices", async () => {
    for (const size of [0, 512, 4096, 16_384, 5_000_192])
      expect(await probe(new Uint8Array(size))).toBeNull();
  });

  test("a label that would steer a terminal is shown without that", async () => {
    const image = copy();
    const header = decodeLuks2Header(image, { source: "image", byteOffset: 0 });
    image.set(encodeLuks2Header({ ...header, sequenceId: 9n, label: "a\u001b[2Jb" }, jsonOf(image)));
    expect((await probe(image))!.details["label"]).toBe("a\ufffd[2Jb");
  });

  test("a device that asks for what is not known here is shown, and why it cannot be opened", async () => {
    const image = changeMetadata(copy(), (metadata) => {
      metadata["config"]!["requirements"] = { mandatory: ["from-the-future"] };
    });
    const finding = await probe(image);
    expect(finding).toMatchObject({
      summary: `LUKS2 ${UUID} (cannot be opened here)`,
      details: { requirements: ["from-the-future"], ciphers: ["aes-xts-plain64"] },
      closed: { severity: "error", code: "CEV_UNKNOWN_FEATURE", device: "disk0.img" },
    });
  });

  test("a device that ends within its data is refused", async () => {
    const { code } = await errorOf(probe(copy().subarray(0, 1_048_576)));
    expect(code).toBe("CEV_BAD_METADATA");
  });
});

describe("keys", () => {
  test("none given: CEV_KEY_REQUIRED", async () => {
    expect((await errorOf(open(copy(), { keys: [] }))).code).toBe("CEV_KEY_REQUIRED");
  });

  test("none fits: CEV_WRONG_KEY, and nothing of the keys is in the error", async () => {
    const keys = [Buffer.from("not the passphrase"), Buffer.alloc(0), Buffer.alloc(5000, 0x41)];
    const { code, text, place } = await errorOf(open(copy(), { keys }));
    expect(code).toBe("CEV_WRONG_KEY");
    expect(text + JSON.stringify(place)).not.toMatch(/not the passphrase|AAAA/);
  });

  test("each is tried, and stays as it was", async () => {
    const keys = [Buffer.from("no"), Buffer.from("nor this"), Buffer.from(golden.passphrase)];
    const before = keys.map((key) => key.toString("hex"));
    const { opened } = await open(copy(), { keys });
    expect(opened.details["keyslot"]).toBe(0);
    expect(keys.map((key) => key.toString("hex"))).toEqual(before);
  });

  test("a keyslot that is to be ignored is not tried", async () => {
    const image = changeMetadata(copy(), (m) => (m["keyslots"]!["0"]!["priority"] = 0));
    expect((await errorOf(open(image))).code).toBe("CEV_WRONG_KEY");
  });

  test("a keyslot that asks for too much is not tried, and the option that allows it is named", async () => {
    const image = changeMetadata(copy(), (m) => {
      m["keyslots"]!["0"]!["kdf"] = {
        type: "argon2id",
        time: 4,
        memory: 4_194_304,
        cpus: 4,
        salt: "c29tZXNhbHQ=",
      };
    });
    const { code, text } = await errorOf(open(image));
    expect(code).toBe("CEV_NOT_SUPPORTED");
    expect(text).toContain("kdfMemoryMax");
    const cheap = await errorOf(open(copy(), { options: { kdfIterationsMax: 1999 } }));
    expect(cheap.text).toContain("kdfIterationsMax");
  });

  test("a header of another version than is asked for is not opened, and nobody is asked for its key", async () => {
    const ask = (): Promise<null> => Promise.reject(new Error("asked"));
    const { code, text } = await errorOf(
      open(copy(), { options: { version: 1 }, keySource: { keys: [], ask } }),
    );
    expect(code).toBe("CEV_INVALID");
    expect(text).toContain("LUKS1 is asked for");
    await expect(open(copy(), { options: { version: 2 } })).resolves.toMatchObject({ problems: [] });
  });

  test("a hash that is not to be had is named", async () => {
    const image = changeMetadata(
      copy(),
      (m) => ((m["keyslots"]!["0"]!["af"] as { hash: string }).hash = "tiger"),
    );
    expect((await errorOf(open(image))).text).toContain("tiger");
  });
});

test("nothing secret is in what is described", async () => {
  const { opened } = await open(copy(), { options: { passphrase: { file: "secrets/p" }, keyFile: "k.bin" } });
  const description = opened.layer.describe();
  expect(description).toMatchObject({
    driver: "@cev/crypt",
    options: { passphrase: { file: "secrets/p" }, keyFile: "k.bin" },
    lowers: [{ driver: "memory" }],
  });
  const text = JSON.stringify([description, opened.details]);
  expect(text).not.toContain(Buffer.from(golden.passphrase).toString());
  expect(text).not.toContain("salt");
  expect(cryptDriver.options["~standard"].validate(description.options)).not.toHaveProperty("issues");
});

describe("header copies", () => {
  test("a flipped bit in the first: the second is used, and that is said", async () => {
    const image = copy();
    image[5000] = image[5000]! ^ 4;
    const { opened, problems } = await open(image);
    expect(opened.name).toBe(`luks/${UUID}`);
    expect(problems).toMatchObject([{ severity: "warning", code: "CEV_BAD_METADATA", device: "disk0.img" }]);
    expect(problems[0]!.message).toContain("the LUKS2 header at byte 0 is damaged");
    expect(problems[0]!.message).toContain("the copy at byte 16384 is used");
    expect((await probe(image))?.summary).toContain("one header copy is damaged");
  });

  test("a flipped bit in the second: the first is used, and that is said", async () => {
    const image = copy();
    image[16_384 + 5000] = 1;
    const { problems } = await open(image);
    expect(problems[0]!.message).toContain("the LUKS2 header at byte 16384 is damaged");
  });

  test("the first wiped: the second is found by itself", async () => {
    const { problems } = await open(copy().fill(0, 0, 4096));
    expect(problems[0]!.message).toContain("the first copy of the LUKS2 header is missing");
  });

  test("the second wiped: the first is used, and that is said", async () => {
    const { problems } = await open(copy().fill(0, 16_384, 20_480));
    expect(problems[0]!.message).toContain("the second copy of the LUKS2 header is missing");
  });

  test("a copy on sectors that cannot be read is passed over, and that is said", async () => {
    for (const [byteOffset, expected] of [
      [0, "the LUKS2 header at byte 0 is damaged"],
      [8192, "the LUKS2 header at byte 0 is damaged"],
      [20_480, "the LUKS2 header at byte 16384 is damaged"],
    ] as const) {
      const memory = new MemoryLayer(environment, { size: golden.bytes.length, contents: golden.bytes });
      const lower = new FaultLayer(memory, environment);
      lower.addBadRange(byteOffset, 512);
      const { context, problems } = openContext(lower, environment, { keys: [golden.passphrase] });
      await cryptDriver.open(context);
      expect(problems[0]!.message).toContain(expected);
    }
  });

  test("with both on such sectors the error is the device's", async () => {
    const memory = new MemoryLayer(environment, { size: golden.bytes.length, contents: golden.bytes });
    const lower = new FaultLayer(memory, environment);
    lower.addBadRange(0, 40_960);
    const { context } = openContext(lower, environment, { keys: [golden.passphrase] });
    await expect(cryptDriver.open(context)).rejects.toMatchObject({ code: "CEV_MEDIUM" });
  });

  test("of two that are valid the newer one is used, whichever it is", async () => {
    for (const [byteOffset, older] of [
      [0, 16_384],
      [16_384, 0],
    ] as const) {
      const image = copy();
      const metadata = JSON.parse(jsonOf(image)) as Metadata;
      metadata["keyslots"]!["0"]!["priority"] = 2;
      putJson(image, byteOffset, JSON.stringify(metadata), 5n);
      const { opened, problems } = await open(image);
      expect(opened.details["keyslots"]).toMatchObject([{ priority: "prefer" }]);
      expect(problems[0]!.message).toContain(`copy at byte ${older} is out of date`);
    }
  });

  test("both damaged: CEV_BAD_METADATA with the byte, and nothing opens", async () => {
    const image = copy();
    image[100] = image[100]! ^ 1;
    image[16_384 + 4096] = image[16_384 + 4096]! ^ 1;
    for (const attempt of [open(image), probe(image)]) {
      const { code, text, place } = await errorOf(attempt);
      expect(code).toBe("CEV_BAD_METADATA");
      expect(place).toMatchObject({ source: "disk0.img", structure: "LUKS2 header", byteOffset: 448 });
      expect(text).toContain("16384");
    }
  });

  test("a newer copy that asks for what is not known is not passed over in favour of an older one", async () => {
    const image = copy();
    const metadata = JSON.parse(jsonOf(image)) as Metadata;
    metadata["config"]!["requirements"] = { mandatory: ["from-the-future"] };
    const json = JSON.stringify(metadata);
    expect((await errorOf(open(putJson(image.slice(), 16_384, json, 1n)))).code).toBe("CEV_UNKNOWN_FEATURE");
    expect((await errorOf(open(putJson(image.slice(), 0, json)))).code).toBe("CEV_UNKNOWN_FEATURE");
    // An older one that the newer has overcome does no harm.
    putJson(image, 0, jsonOf(image), 2n);
    const { problems } = await open(putJson(image, 16_384, json, 1n));
    expect(problems).toHaveLength(1);
  });

  test("any flipped bit in the first copy leaves the device as it was, and nothing is written", async () => {
    const lower = new MemoryLayer(environment, { size: golden.bytes.length, contents: golden.bytes });
    const image = lower.bytes;
    const textEnd = 4096 + jsonOf(image).length + 8;
    await using device = await Device.open(lower, environment, { isReadOnly: true });
    const expected = (await cryptDriver.probe!(device))!.details;
    // Each bit of the binary header and of the text; of what is zero all the same a sample.
    const bits: number[] = [];
    for (let at = 0; at < 16_384; at++)
      if (at < 512 || (at >= 4096 && at < textEnd) || at % 997 === 0) bits.push(at * 8 + (at % 8));
    for (let bit = 0; bit < 264 * 8; bit++) bits.push(bit);
    for (const bit of bits) {
      const before = image[bit >> 3]!;
      image[bit >> 3] = before ^ (1 << (bit & 7));
      const outcome = await cryptDriver.probe!(device);
      image[bit >> 3] = before;
      const { problem, ...details } = outcome!.details;
      expect(details).toEqual(expected);
      const at = bit >> 3;
      // A SHA-256 fills half of the field for the checksum; what follows it means nothing.
      if (at >= 480 && at < 512) expect(problem).toBeUndefined();
      else expect(problem).toMatch(/first copy|byte 0/);
    }
    expect(Buffer.from(image).equals(golden.bytes)).toBe(true);
  });
});

describe("options", () => {
  const issues = (value: unknown) => {
    const result = cryptDriver.options["~standard"].validate(value);
    return "issues" in result && result.issues !== undefined
      ? result.issues.map(({ path }) => path?.[0])
      : [];
  };

  test("what is not known or makes no sense is named", () => {
    expect(issues({})).toEqual([]);
    expect(
      issues({ passphrase: { file: "p" }, keyFile: "k", allowDiscards: true, kdfMemoryMax: 2 ** 32 }),
    ).toEqual([]);
    expect(issues({ passphrase: "secret" })).toEqual(["passphrase"]);
    expect(issues({ keyFile: "" })).toEqual(["keyFile"]);
    expect(issues({ allowDiscards: "yes" })).toEqual(["allowDiscards"]);
    expect(issues({ backend: "ffi" })).toEqual([]);
    expect(issues({ backend: "gpu" })).toEqual(["backend"]);
    expect(issues({ kdfMemoryMax: 0, kdfWorkMax: 1.5, kdfIterationsMax: "9" })).toHaveLength(3);
    expect(issues({ version: 2 })).toEqual([]);
    expect(issues({ version: 3 })).toEqual(["version"]);
    expect(issues({ pasphrase: { file: "p" } })).toEqual(["pasphrase"]);
    expect(issues(null)).toEqual([undefined]);
  });

  test("discards go through where the option or the header says so, and are refused otherwise", async () => {
    const flagged = changeMetadata(copy(), (m) => (m["config"]!["flags"] = ["allow-discards"] as never));
    const discardOf = async (image: Uint8Array, options: object) =>
      (await open(image, { options })).opened.layer.support.discard;
    expect(await discardOf(copy(), {})).toBe("none");
    expect(await discardOf(copy(), { allowDiscards: true })).toBe("native");
    expect(await discardOf(flagged, {})).toBe("native");
    expect(await discardOf(flagged, { allowDiscards: false })).toBe("none");
  });

  test("opened read-only, the layer offers reads alone", async () => {
    const { opened } = await open(copy(), { isReadOnly: true });
    expect(opened.layer.support).toMatchObject({ read: "native", write: "none", flush: "none" });
  });
});
