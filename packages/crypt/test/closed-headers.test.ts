/** Headers that are whole, and ask for what is not known here: they are shown, and refused by name. */
import { Device, openTree } from "@cev/core";
import { MemoryLayer } from "@cev/test-kit";
import { describe, expect, test } from "vitest";
import { cryptDriver, luksAddKey, luksDump, openLuks } from "../src/index.ts";
import { changeMetadata, goldenImage } from "./luks2-image.ts";
import type { Metadata } from "./luks2-image.ts";
import { environment } from "./small-volume.ts";

const mandatory =
  (...names: string[]) =>
  (metadata: Metadata): void => {
    metadata["config"]!["requirements"] = { mandatory: names };
  };

const integrity = (metadata: Metadata): void => {
  const none = { journal_encryption: "none", journal_integrity: "none" };
  metadata["segments"]!["0"]!["integrity"] = { type: "hmac(sha256)", ...none };
};

/** As `cryptsetup reencrypt --init-only` leaves it. */
const reencrypting = (metadata: Metadata): void => {
  mandatory("online-reencrypt-v2")(metadata);
  metadata["config"]!["keyslots_size"] = "262144" as never;
  const area = { type: "checksum", offset: "163840", size: "4096", hash: "sha256", sector_size: 512 };
  metadata["keyslots"]!["1"] = {
    type: "reencrypt",
    key_size: 1,
    mode: "reencrypt",
    direction: "forward",
    area,
  };
  const segment = metadata["segments"]!["0"]!;
  metadata["segments"]!["1"] = { ...segment, flags: ["backup-previous"] };
  metadata["segments"]!["2"] = { ...segment, flags: ["backup-final"] };
  metadata["digests"]!["0"]!["segments"] = ["0", "1", "2"];
};

const CASES: readonly (readonly [
  name: string,
  change: (metadata: Metadata) => void,
  state: string,
  reason: RegExp,
])[] = [
  [
    "in the middle of reencryption",
    reencrypting,
    "being reencrypted",
    /middle of being reencrypted: finish that/,
  ],
  [
    "taken offline for it",
    mandatory("offline-reencrypt"),
    "being reencrypted",
    /middle of being reencrypted/,
  ],
  ["with integrity tags", integrity, "with integrity tags", /keeps integrity tags \(dm-integrity\)/],
  [
    "with tags in the sectors",
    mandatory("inline-hw-tags"),
    "with integrity tags",
    /keeps integrity tags in its/,
  ],
  ["encrypted by its hardware", mandatory("opal"), "cannot be opened here", /own hardware \(OPAL\)/],
  ["of the future", mandatory("x-9"), "cannot be opened here", /asks for "x-9", which is not known here/],
];

describe.each(CASES)("a device %s", (_name, change, state, reason) => {
  const { bytes, passphrase } = goldenImage("luks-pbkdf2");
  const image = changeMetadata(bytes, change);
  const refusal = { code: "CEV_UNKNOWN_FEATURE", message: expect.stringMatching(reason) as string };

  test("is shown with the state it is in, and why it is not opened", async () => {
    const lower = new MemoryLayer(environment, { size: image.length, contents: image });
    await using device = await Device.open(lower, environment, { name: "disk0.img", isReadOnly: true });
    const finding = await cryptDriver.probe!(device);
    expect(finding!.summary).toMatch(new RegExp(`^LUKS2 [0-9a-f-]{36} \\(${state}\\)$`));
    expect(finding!.closed).toMatchObject({ severity: "error", device: "disk0.img", ...refusal });
  });

  test("is neither opened nor changed, and dumped all the same", async () => {
    const lower = new MemoryLayer(environment, { size: image.length, contents: image });
    await openTree(lower);
    const options = { environment, keys: [passphrase] };
    await expect(openLuks(lower, options)).rejects.toMatchObject(refusal);
    await expect(luksAddKey(lower, { ...options, newKey: passphrase })).rejects.toMatchObject(refusal);
    expect((await luksDump(lower, { environment })).version).toBe(2);
    expect(Buffer.compare(lower.bytes, image)).toBe(0);
  });
});
