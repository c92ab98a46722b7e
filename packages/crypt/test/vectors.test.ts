import { BufferPool } from "@cev/core";
import { describe, expect, test } from "vitest";
import { parseCipher } from "../src/cipher/cipher-spec.ts";
import { transformPlain, transformWithIvs } from "../src/cipher/plain-cipher.ts";
import { createSectorCipher } from "../src/cipher/sector-cipher.ts";

const fromHex = (text: string): Uint8Array => Buffer.from(text.replaceAll(" ", ""), "hex");
const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const counting = (length: number): Uint8Array => Uint8Array.from({ length }, (_, index) => index & 0xff);

describe("IEEE 1619-2007, annex B, vectors of two blocks", () => {
  const vectors: [key: string, sector: number, plain: string, encrypted: string][] = [
    ["00".repeat(32), 0, "00".repeat(32), "917cf69ebd68b2ec9b9fe9a3eadda692cd43d2f59598ed858c02c2652fbf922e"],
    [
      "11".repeat(16) + "22".repeat(16),
      0x3333333333,
      "44".repeat(32),
      "c454185e6a16936e39334038acef838bfb186fff7480adc4289382ecd6d394f0",
    ],
    [
      "fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0" + "22".repeat(16),
      0x3333333333,
      "44".repeat(32),
      "af85336b597afc1a900b2eb21ec949d292df4c047e0b21532186a5971a227a89",
    ],
  ];
  test.each(vectors)("key %s, unit %i", (key, sector, plain, encrypted) => {
    const spec = parseCipher("aes-xts-plain64", 32);
    const units = { sector, sectorStep: 1, unitLength: 32 };
    const data = fromHex(plain);
    transformPlain("encrypt", spec, fromHex(key), data, units);
    expect(toHex(data)).toBe(encrypted);
    transformPlain("decrypt", spec, fromHex(key), data, units);
    expect(toHex(data)).toBe(plain);
  });
});

/** First and last 32 bytes of the ciphertext that the standard prints in full. */
interface LongVector {
  readonly sector: number;
  readonly first: string;
  readonly last: string;
}

// Vectors 4 to 9: the plaintext of each unit is the ciphertext of the one before, from unit 0 on, of which the standard prints six.
const VECTORS_128: readonly LongVector[] = [
  {
    sector: 0,
    first: "27a7479befa1d476489f308cd4cfa6e2a96e4bbe3208ff25287dd3819616e89c",
    last: "eb4a427d1923ce3ff262735779a418f20a282df920147beabe421ee5319d0568",
  },
  {
    sector: 1,
    first: "264d3ca8512194fec312c8c9891f279fefdd608d0c027b60483a3fa811d65ee5",
    last: "6ad12c39f1e867a4b7b1d7818a4b753dfd2a89ccb45e001a03a867b187f225dd",
  },
  {
    sector: 2,
    first: "fa762a3680b76007928ed4a4f49a9456031b704782e65e16cecb54ed7d017b5e",
    last: "31864c69ca2c2043bed007ff3e605e014bcf518138dc3a25c5e236171a2d01d6",
  },
  {
    sector: 0xfd,
    first: "d55f684f81f4426e9fde92a5ff02df2ac896af63962888a97910c1379e20b0a3",
    last: "2528f4ef78eed778b2e122ddfd1cbdd11d1c0a6783e011fc536d63d053260637",
  },
  {
    sector: 0xfe,
    first: "72efc1ebfe1ee25975a6eb3aa8589dda2b261f1c85bdab442a9e5b2dd1d7c395",
    last: "0699c9abc4ed0411506223bea16af35c883accdbe1104eef0cfdb54e12fb230a",
  },
  {
    sector: 0xff,
    first: "3260ae8dad1f4a32c5cafe3ab0eb95549d461a67ceb9e5aa2d3afb62dece0553",
    last: "4b4d561395c73c087021927ca638b7afc8a8679ccb84c26555440ec7f10445cd",
  },
];
// Vectors 10 to 14: the same plaintext in each.
const VECTORS_256: readonly LongVector[] = [
  {
    sector: 0xff,
    first: "1c3b3a102f770386e4836c99e370cf9bea00803f5e482357a4ae12d414a3e63b",
    last: "773dad38014bd2092fa755c824bb5e54c4f36ffda9fcea70b9c6e693e148c151",
  },
  {
    sector: 0xffff,
    first: "77a31251618a15e6b92d1d66dffe7b50b50bad552305ba0217a610688eff7e11",
    last: "54fbff89eeaeea791f4a7ab1f9868294a4f9e27b42af8100cb9d59cef9645803",
  },
  {
    sector: 0xffffff,
    first: "e387aaa58ba483afa7e8eb469778317ecf4cf573aa9d4eac23f2cdf914e4e200",
    last: "ed242c8900dd1fa965bc950dfce09b132263a1eef52dd6888c309f5a7d712826",
  },
  {
    sector: 0xffffffff,
    first: "bf53d2dade78e822a4d949a9bc6766b01b06a8ef70d26748c6a7fc36d80ae4c5",
    last: "f6516139420fcff3b7361d86322c4bd84c82f335abb152c4a93411373aaa8220",
  },
  {
    sector: 0xffffffffff,
    first: "64497e5a831e4a932c09be3e5393376daa599548b816031d224bbf50a818ed23",
    last: "6975be5e0b4efce51cd3e70c25a1fbbbd609d273ad5b0d59631c531f6a0a57b9",
  },
];

describe("IEEE 1619-2007, annex B, vectors of 512 bytes", () => {
  const key128 = fromHex("27182818284590452353602874713526 31415926535897932384626433832795");
  const key256 = fromHex(
    "2718281828459045235360287471352662497757247093699959574966967627" +
      "3141592653589793238462643383279502884197169399375105820974944592",
  );
  const unitLength = 512;

  function encryptBoth(key: Uint8Array, sector: number, plain: Uint8Array): Uint8Array {
    const spec = parseCipher("aes-xts-plain64", key.length);
    const data = plain.slice();
    transformPlain("encrypt", spec, key, data, { sector, sectorStep: 1, unitLength });
    const pool = new BufferPool({ slabLength: 1024 * 1024 });
    const cipher = createSectorCipher(spec, key, pool, { sectorStep: 1, unitLength });
    cipher.open();
    const target = pool.acquire(unitLength);
    cipher.encrypt(sector, plain, 0, unitLength, target);
    expect(toHex(target.bytes)).toBe(toHex(data));
    cipher.decrypt(sector, target.bytes, 0, unitLength);
    expect(toHex(target.bytes)).toBe(toHex(plain));
    return data;
  }

  test("keys of 128 bits, units 0 to 255 in a chain", () => {
    const found: LongVector[] = [];
    let data = counting(unitLength);
    for (let sector = 0; sector <= 0xff; sector++) {
      if (VECTORS_128.some((vector) => vector.sector === sector)) {
        data = encryptBoth(key128, sector, data);
        found.push({ sector, first: toHex(data.subarray(0, 32)), last: toHex(data.subarray(-32)) });
      } else {
        const spec = parseCipher("aes-xts-plain64", 32);
        transformPlain("encrypt", spec, key128, data, { sector, sectorStep: 1, unitLength });
      }
    }
    expect(found).toEqual(VECTORS_128);
  });

  test.each(VECTORS_256)("keys of 256 bits, unit $sector", ({ sector, first, last }) => {
    const data = encryptBoth(key256, sector, counting(unitLength));
    expect(toHex(data.subarray(0, 32))).toBe(first);
    expect(toHex(data.subarray(-32))).toBe(last);
  });
});

describe("NIST SP 800-38A, annex F", () => {
  const plain =
    "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51" +
    "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710";
  const keys = {
    128: "2b7e151628aed2a6abf7158809cf4f3c",
    192: "8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b",
    256: "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
  };
  const ivs = { ecb: "", cbc: "000102030405060708090a0b0c0d0e0f", ctr: "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff" };
  const vectors: [section: string, mode: keyof typeof ivs, bits: keyof typeof keys, encrypted: string][] = [
    [
      "F.1.1",
      "ecb",
      128,
      "3ad77bb40d7a3660a89ecaf32466ef97f5d3d58503b9699de785895a96fdbaaf" +
        "43b1cd7f598ece23881b00e3ed0306887b0c785e27e8ad3f8223207104725dd4",
    ],
    [
      "F.2.1",
      "cbc",
      128,
      "7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b2" +
        "73bed6b8e3c1743b7116e69e222295163ff1caa1681fac09120eca307586e1a7",
    ],
    [
      "F.5.1",
      "ctr",
      128,
      "874d6191b620e3261bef6864990db6ce9806f66b7970fdff8617187bb9fffdff" +
        "5ae4df3edbd5d35e5b4f09020db03eab1e031dda2fbe03d1792170a0f3009cee",
    ],
    [
      "F.1.3",
      "ecb",
      192,
      "bd334f1d6e45f25ff712a214571fa5cc974104846d0ad3ad7734ecb3ecee4eef" +
        "ef7afd2270e2e60adce0ba2face6444e9a4b41ba738d6c72fb16691603c18e0e",
    ],
    [
      "F.2.3",
      "cbc",
      192,
      "4f021db243bc633d7178183a9fa071e8b4d9ada9ad7dedf4e5e738763f69145a" +
        "571b242012fb7ae07fa9baac3df102e008b0e27988598881d920a9e64f5615cd",
    ],
    [
      "F.5.3",
      "ctr",
      192,
      "1abc932417521ca24f2b0459fe7e6e0b090339ec0aa6faefd5ccc2c6f4ce8e94" +
        "1e36b26bd1ebc670d1bd1d665620abf74f78a7f6d29809585a97daec58c6b050",
    ],
    [
      "F.1.5",
      "ecb",
      256,
      "f3eed1bdb5d2a03c064b5a7e3db181f8591ccb10d410ed26dc5ba74a31362870" +
        "b6ed21b99ca6f4f9f153e7b1beafed1d23304b7a39f9f3ff067d8d8f9e24ecc7",
    ],
    [
      "F.2.5",
      "cbc",
      256,
      "f58c4c04d6e5f1ba779eabfb5f7bfbd69cfc4e967edb808d679f777bc6702c7d" +
        "39f23369a9d9bacfa530e26304231461b2eb05e2c39be9fcda6c19078c6a9d1b",
    ],
    [
      "F.5.5",
      "ctr",
      256,
      "601ec313775789a5b7a7f504bbf3d228f443e3ca4d62b59aca84e990cacaf5c5" +
        "2b0930daa23de94ce87017ba2d84988ddfc9c58db67aada613c2dd08457941a6",
    ],
  ];
  test.each(vectors)("%s: %s, key of %i bits", (_section, mode, bits, encrypted) => {
    const key = fromHex(keys[bits]);
    const spec = parseCipher(mode === "ecb" ? "aes-ecb" : `aes-${mode}-null`, key.length);
    const data = fromHex(plain);
    transformWithIvs("encrypt", spec, key, data, fromHex(ivs[mode]));
    expect(toHex(data)).toBe(encrypted);
    transformWithIvs("decrypt", spec, key, data, fromHex(ivs[mode]));
    expect(toHex(data)).toBe(plain);
  });
});

describe("block ciphers", () => {
  const vectors: [source: string, cipher: string, key: string, plain: string, encrypted: string][] = [
    [
      "RFC 3713",
      "camellia",
      "0123456789abcdeffedcba9876543210",
      "0123456789abcdeffedcba9876543210",
      "67673138549669730857065648eabe43",
    ],
    [
      "RFC 3713",
      "camellia",
      "0123456789abcdeffedcba98765432100011223344556677",
      "0123456789abcdeffedcba9876543210",
      "b4993401b3e996f84ee5cee7d79b09b9",
    ],
    [
      "RFC 3713",
      "camellia",
      "0123456789abcdeffedcba987654321000112233445566778899aabbccddeeff",
      "0123456789abcdeffedcba9876543210",
      "9acc237dff16d76c20ef7c919e3a7509",
    ],
    [
      "RFC 5794",
      "aria",
      "000102030405060708090a0b0c0d0e0f",
      "00112233445566778899aabbccddeeff",
      "d718fbd6ab644c739da95f3be6451778",
    ],
    [
      "RFC 5794",
      "aria",
      "000102030405060708090a0b0c0d0e0f1011121314151617",
      "00112233445566778899aabbccddeeff",
      "26449c1805dbe7aa25a468ce263a9e79",
    ],
    [
      "RFC 5794",
      "aria",
      "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
      "00112233445566778899aabbccddeeff",
      "f92bd7c79fb72e2f2b8f80c1972d24fc",
    ],
    [
      "GB/T 32907",
      "sm4",
      "0123456789abcdeffedcba9876543210",
      "0123456789abcdeffedcba9876543210",
      "681edf34d206965e86b3e94f536e4246",
    ],
    [
      "Twofish, table of the authors",
      "twofish",
      "00".repeat(16),
      "00".repeat(16),
      "9f589f5cf6122c32b6bfec2f2ae8c35a",
    ],
    [
      "Twofish, table of the authors",
      "twofish",
      "0123456789abcdeffedcba98765432100011223344556677",
      "00".repeat(16),
      "cfd1d2e5a9be9cdf501f13b892bd2248",
    ],
    [
      "Twofish, table of the authors",
      "twofish",
      "0123456789abcdeffedcba987654321000112233445566778899aabbccddeeff",
      "00".repeat(16),
      "37527be0052334b89f0cfccae87cfa20",
    ],
    [
      "Serpent, plaintext of SP 800-38A",
      "serpent",
      "2b7e151628aed2a6abf7158809cf4f3c",
      "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51",
      "f7a721e6c756b655cbdf533fc3b31ac44bc604293a81a6a6e4cba78d1a32a29e",
    ],
    [
      "Serpent, plaintext of SP 800-38A",
      "serpent",
      "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
      "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51",
      "78e5848ed9d5de2d4db02f53616afdf2505df16892408ef69c3b9ea667d9ddb8",
    ],
  ];
  test.each(vectors)("%s: %s with the key %s", (_source, cipher, key, plain, encrypted) => {
    const spec = parseCipher(`${cipher}-ecb`, key.length / 2);
    const data = fromHex(plain);
    transformWithIvs("encrypt", spec, fromHex(key), data, new Uint8Array(0));
    expect(toHex(data)).toBe(encrypted);
    transformWithIvs("decrypt", spec, fromHex(key), data, new Uint8Array(0));
    expect(toHex(data)).toBe(plain);
  });
});
