import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Device, environmentFrom } from "@cev/core";
import { MemoryLayer } from "@cev/test-kit";
import { afterAll, describe, expect, test } from "vitest";
import { unpackGolden } from "../../../tests/interop/golden/unpack.ts";
import { cryptDriver } from "../src/index.ts";
import { openContext } from "./open-context.ts";

const directory = mkdtempSync(join(tmpdir(), "cev-crypt-"));
afterAll(() => rmSync(directory, { recursive: true }));

describe.each(["luks-4096", "luks-pbkdf2"])(
  "the golden image %s, made by cryptsetup and the kernel",
  (name) => {
    const { manifest, images } = unpackGolden(name, join(directory, name));
    const image = readFileSync(images[0]!);
    const passphrase = Buffer.from(manifest.passphrase!);

    test("is found by its UUID, and the plaintext is what the kernel reads", async () => {
      const environment = environmentFrom(globalThis);
      const lower = new MemoryLayer(environment, { size: image.length, contents: image });
      await using raw = await Device.open(lower, environment, { isReadOnly: true });
      const finding = await cryptDriver.probe!(raw);
      expect(finding?.summary).toBe(`LUKS2 ${manifest.facts["luks.uuid"]!}, 1 keyslot`);
      const { context } = openContext(lower, environment, { keys: [Buffer.from("wrong"), passphrase] });
      const [opened] = await cryptDriver.open(context);
      expect(opened!.name).toBe(`luks/${manifest.facts["luks.uuid"]!}`);
      await using plain = await Device.open(opened!.layer, environment);
      expect(plain.size).toBe(manifest.layers[0]!.size);
      const data = await plain.read(0, plain.size);
      expect(createHash("sha256").update(data).digest("hex")).toBe(manifest.layers[0]!.sha256);
    });
  },
);
