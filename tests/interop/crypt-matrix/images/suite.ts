import type { ErrorCode } from "@cev/core";

/** An image of cryptsetup's own tests, and what is to become of it. */
export interface SuiteImage {
  readonly name: string;
  /** The file in the folder of tests that has it: compressed, or an archive. */
  readonly file: string;
  /** A passphrase, or a file of the same archive. */
  readonly key: { readonly passphrase: string } | { readonly file: string };
  /**
   * `open`: opened, and every byte as the kernel has it. An error: refused with this code, and one of the words in the message.
   */
  readonly expected: "open" | readonly ErrorCode[];
  readonly words?: readonly string[];
  /** Serial number of the FAT file system in it. */
  readonly serial?: number;
}

const LUKS1 = "luks1-images.tar.xz";
const MDA = "luks2_mda_images.tar.xz";
const REQUIREMENTS = "luks2_header_requirements.tar.xz";

/** As the tests' own documentation has it. */
const SERIAL = 0xdead_babe;

const luks1 = (name: string): SuiteImage => ({
  name: `luks1-images/luks1_${name}.img`,
  file: LUKS1,
  key: { file: "luks1-images/keyfile1" },
  expected: "open",
  serial: SERIAL,
});

const passphrase = (
  name: string,
  text: string,
  expected: SuiteImage["expected"] = "open",
  words: readonly string[] = [],
): SuiteImage => ({ name, file: `${name}.xz`, key: { passphrase: text }, expected, words });

/** The images, as cryptsetup 2.8 has them in `tests`. */
export const SUITE: readonly SuiteImage[] = [
  luks1("aes-cbc-essiv-sha256-sha1"),
  luks1("aes-xts-plain64-sha1"),
  luks1("aes-xts-plain64-sha256"),
  luks1("aes-xts-plain64-whirlpool"),
  luks1("aes-xts-essiv-wp256-whirlpool"),
  luks1("aes-lrw-plain64-sha1"),
  ...["serpent", "twofish"].flatMap((cipher) =>
    ["sha1", "sha256", "whirlpool"].map((hash) => luks1(`${cipher}-xts-plain64-${hash}`)),
  ),
  ...[16, 32, 64, 128, 256, 512, 1024, 2048, 4096].map((size): SuiteImage => ({
    name: `test_image_${size}`,
    file: MDA,
    key: { passphrase: "Qx3qn46vq0v" },
    expected: "open",
  })),
  passphrase("compatimage.img", "compatkey"),
  passphrase("compatimage2.img", "compatkey"),
  passphrase("compatv10image.img", "compatkey"),
  passphrase("luks2_keyslot_unassigned.img", "compatkey"),
  // Its key belongs to no segment.
  { ...passphrase("luks2_keyslot_unassigned.img", "93R4P4pIqAH8", ["CEV_WRONG_KEY"]) },
  passphrase("luks2_invalid_cipher.img", "93R4P4pIqAH8", ["CEV_UNKNOWN_FEATURE"], ["capi:xts"]),
  {
    name: "luks2_header_requirements",
    file: REQUIREMENTS,
    key: { passphrase: "blablabl" },
    expected: ["CEV_UNKNOWN_FEATURE"],
    words: ["req0", "req1"],
  },
  {
    name: "luks2_header_requirements_free",
    file: REQUIREMENTS,
    key: { passphrase: "blablabl" },
    expected: "open",
  },
  // Headers made to overwrite what is not theirs.
  ...[
    "keyslot_overlap",
    "luks_hdr_damage",
    "payload_overwrite",
    "small_luks_device",
    "stripes_payload_dmg",
  ].map((name) => passphrase(`evil_hdr-${name}`, "compatkey", ["CEV_BAD_METADATA"])),
  // The first copy is gone, and something else was put there: cev may read the second one, but this passphrase is none of its own.
  passphrase("blkid-luks2-pv.img", "93R4P4pIqAH8", ["CEV_BAD_METADATA", "CEV_AMBIGUOUS", "CEV_WRONG_KEY"]),
];
