import { Device, environmentFrom, isCevError } from "@cev/core";
import { MemoryLayer } from "@cev/test-kit";
import { describe, expect, test } from "vitest";
import { cryptDriver, openLuks } from "../src/index.ts";
import { changeMetadata, goldenImage } from "./luks2-image.ts";
import { openContext } from "./open-context.ts";

const environment = environmentFrom(globalThis);

interface Parts {
  readonly header: Uint8Array;
  readonly data: Uint8Array;
  readonly passphrase: Uint8Array;
  readonly uuid: string;
  /** The first bytes of the plaintext. */
  readonly expected: Uint8Array;
}

const layerOf = (contents: Uint8Array): MemoryLayer =>
  new MemoryLayer(environment, { size: contents.length, contents });

/** A golden image taken apart: its header, made to say that the data begins at byte 0 elsewhere, and its data. */
async function takeApart(
  name: string,
  dataOffset: number,
  change: (header: Uint8Array) => void,
): Promise<Parts> {
  const { bytes, passphrase } = goldenImage(name);
  const { layer, volume } = await openLuks(layerOf(bytes), { environment, keys: [passphrase] });
  await using device = await Device.open(layer, environment, { isReadOnly: true });
  const expected = Uint8Array.from(await device.read(0, 4096));
  const header = bytes.slice(0, dataOffset);
  change(header);
  return { header, data: bytes.slice(dataOffset), passphrase, uuid: volume.uuid, expected };
}

const luks2 = await takeApart("luks-pbkdf2", 1_048_576, (header) => {
  changeMetadata(header, (metadata) => (metadata["segments"]!["0"]!["offset"] = "0"));
});
const luks1 = await takeApart("luks1", luks1DataOffset(), (header) => {
  new DataView(header.buffer).setUint32(104, 0);
});

function luks1DataOffset(): number {
  const { bytes } = goldenImage("luks1");
  return new DataView(bytes.buffer).getUint32(104) * 512;
}

async function failureOf(promise: Promise<unknown>): Promise<{ code: string; hint: string }> {
  const error: unknown = await promise.then(
    () => null,
    (reason: unknown) => reason,
  );
  if (!isCevError(error)) throw new Error(`no coded error, but ${String(error)}`);
  return { code: error.code, hint: error.place.hint ?? "" };
}

describe.each([
  ["LUKS2", luks2],
  ["LUKS1", luks1],
])("a detached %s header", (version, { header, data, passphrase, uuid, expected }) => {
  test("opens the data that lies elsewhere, from its first byte", async () => {
    const { context } = openContext(layerOf(data), environment, {
      keys: [passphrase],
      header: layerOf(header),
    });
    const [opened] = await cryptDriver.open(context);
    expect(opened).toMatchObject({ name: `luks/${uuid}`, details: { dataOffset: 0, uuid } });
    expect(opened!.layer.limits.size).toBe(data.length);
    await using device = await Device.open(opened!.layer, environment);
    expect(await device.read(0, 4096)).toEqual(expected);
  });

  test("is not taken for the header of what it lies on itself, under whatever name", async () => {
    const both = Buffer.concat([header, data]);
    for (const other of [layerOf(both), layerOf(header)]) {
      const { code, hint } = await failureOf(
        openLuks(layerOf(both), { environment, keys: [passphrase], header: other }),
      );
      expect([code, hint]).toEqual(["CEV_INVALID", "give the device that the data is on"]);
    }
  });

  test("is not written, and what is written goes to the data alone", async () => {
    const [headerLayer, dataLayer] = [layerOf(header), layerOf(data)];
    const options = { environment, keys: [passphrase], header: headerLayer };
    const { layer } = await openLuks(dataLayer, options);
    await using device = await Device.open(layer, environment);
    await device.write(0, new Uint8Array(4096).fill(7));
    expect(await device.read(0, 4096)).toEqual(new Uint8Array(4096).fill(7));
    expect(Buffer.compare(headerLayer.bytes, header)).toBe(0);
    expect(Buffer.compare(dataLayer.bytes.subarray(0, 4096), data.subarray(0, 4096))).not.toBe(0);
    expect(layer.describe().lowers).toHaveLength(2);
  });

  test("is known for what it is, and not opened by itself", async () => {
    await using device = await Device.open(layerOf(header), environment, { isReadOnly: true, name: "h.img" });
    const finding = await cryptDriver.probe!(device);
    expect(finding!.summary).toMatch(new RegExp(`^${version} ${uuid}, 1 keyslot \\(a detached header\\)`));
    expect(finding!.closed).toMatchObject({ severity: "warning", device: "h.img" });
    expect(finding!.closed!.message).toContain("--header");
    const { code, hint } = await failureOf(openLuks(layerOf(header), { environment, keys: [passphrase] }));
    expect(code).toBe("CEV_INVALID");
    expect(hint).toContain("--header");
  });

  test("does not fit data that ends before its first sector", async () => {
    const options = { environment, keys: [passphrase], header: layerOf(header) };
    expect((await failureOf(openLuks(layerOf(new Uint8Array(0)), options))).code).toBe("CEV_BAD_METADATA");
  });

  test("asks for the key like any other", async () => {
    const { context } = openContext(layerOf(data), environment, { header: layerOf(header) });
    expect((await failureOf(cryptDriver.open(context))).code).toBe("CEV_KEY_REQUIRED");
  });
});

test("a header on which there is none: CEV_BAD_METADATA", async () => {
  const options = { environment, keys: [luks2.passphrase], header: layerOf(new Uint8Array(65_536)) };
  expect((await failureOf(openLuks(layerOf(luks2.data), options))).code).toBe("CEV_BAD_METADATA");
});

test("an attached header, given once more as a detached one, opens its own device", async () => {
  const { bytes, passphrase } = goldenImage();
  const options = { environment, keys: [passphrase], header: layerOf(bytes.subarray(0, 1_048_576)) };
  const { layer } = await openLuks(layerOf(bytes), options);
  await using device = await Device.open(layer, environment, { isReadOnly: true });
  expect(await device.read(0, 4096)).toEqual(luks2.expected);
});
