import { Buffer } from "node:buffer";
import { opName, Op } from "@cev/core";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  decodeBlockStatus,
  decodeError,
  encodeBlockStatus,
  encodeError,
  encodeHole,
} from "../../src/protocol/chunk.ts";
import { errorOfNbd } from "../../src/protocol/errno.ts";
import { ChunkType, HeaderStyle, NbdErrno } from "../../src/protocol/numbers.ts";

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const noise = fc.uint8Array({ maxLength: 60 });

describe("payloads of chunks", () => {
  test("a hole is an offset and a length", () => {
    expect(hex(encodeHole(2 ** 33 + 1, 65_536))).toBe("0000000200000001" + "00010000");
  });

  test("errors are read as they were written", () => {
    expect(hex(encodeError(5, "no"))).toBe("00000005" + "0002" + "6e6f");
    expect(hex(encodeError(5, "no", 2 ** 33))).toBe("00000005" + "0002" + "6e6f" + "0000000200000000");
    fc.assert(
      fc.property(
        fc.nat(),
        fc.string({ maxLength: 50 }),
        fc.option(fc.maxSafeNat()),
        (errno, said, offset) => {
          const message = said.replaceAll(/\p{Cc}/gu, "");
          const payload = encodeError(errno, message, offset);
          const type = offset === null ? ChunkType.error : ChunkType.errorOffset;
          expect(decodeError(payload, type)).toEqual({ errno, message, offset });
          expect(decodeError(payload.subarray(0, -1), type)).toBeNull();
          expect(decodeError(Buffer.concat([payload, Buffer.alloc(1)]), type)).toBeNull();
          // An unknown kind of error may have more to say.
          const unknown = decodeError(Buffer.concat([payload, Buffer.alloc(1)]), 0x8777);
          expect(unknown).toMatchObject({ errno, message });
        },
      ),
    );
    fc.assert(
      fc.property(
        noise,
        fc.constantFrom(0x8001, 0x8002, 0x8003),
        (bytes, type) => void decodeError(bytes, type),
      ),
    );
  });

  test("no message is longer than a string may be, in whatever script it is", () => {
    expect(encodeError(5, "€".repeat(5000)).length).toBeLessThanOrEqual(6 + 4096);
  });

  test("statuses have 32 bits in the structured form, 64 in the extended one", () => {
    const extents = [
      { length: 512, status: 3 },
      { length: 0xffff_fe00, status: 0x8000_0001 },
    ];
    expect(hex(encodeBlockStatus(HeaderStyle.structured, 1, extents))).toBe(
      "00000001" + "00000200" + "00000003" + "fffffe00" + "80000001",
    );
    expect(hex(encodeBlockStatus(HeaderStyle.extended, 1, [{ length: 2 ** 40, status: 2 }]))).toBe(
      "00000001" + "00000001" + "0000010000000000" + "0000000000000002",
    );
  });

  test("statuses are read as they were written; whatever else comes is refused, not misread", () => {
    for (const style of [HeaderStyle.structured, HeaderStyle.extended]) {
      const isExtended = style === HeaderStyle.extended;
      const number = isExtended ? fc.maxSafeNat() : fc.integer({ min: 0, max: 0xffff_ffff });
      const extent = fc.record({ length: number.filter((length) => length > 0), status: number });
      fc.assert(
        fc.property(fc.nat(), fc.array(extent, { minLength: 1, maxLength: 5 }), (contextId, extents) => {
          const payload = encodeBlockStatus(style, contextId, extents);
          expect(decodeBlockStatus(payload, isExtended)).toEqual({ contextId, extents });
          expect(decodeBlockStatus(payload.subarray(0, -1), isExtended)).toBeNull();
          expect(decodeBlockStatus(payload.subarray(0, isExtended ? 8 : 4), isExtended)).toBeNull();
        }),
      );
      const empty = encodeBlockStatus(style, 1, [{ length: 0, status: 0 }]);
      expect(decodeBlockStatus(empty, isExtended)).toBeNull();
      fc.assert(fc.property(noise, (bytes) => void decodeBlockStatus(bytes, isExtended)));
    }
  });

  test("a wrong count of extents is refused", () => {
    const payload = encodeBlockStatus(HeaderStyle.extended, 1, [{ length: 1, status: 0 }]);
    payload[7] = 2;
    expect(decodeBlockStatus(payload, true)).toBeNull();
  });
});

describe("a server's errors", () => {
  test("become codes of ours, with what the server says", () => {
    const code = (errno: number, op: Op = Op.flush): string => errorOfNbd(errno, opName(op), null).code;
    expect(code(NbdErrno.EIO, Op.read)).toBe("CEV_MEDIUM");
    expect(code(NbdErrno.EIO, Op.write)).toBe("CEV_IO");
    expect(code(NbdErrno.EPERM, Op.write)).toBe("CEV_READ_ONLY");
    expect(code(NbdErrno.EPERM, Op.discard)).toBe("CEV_READ_ONLY");
    expect(code(NbdErrno.EPERM, Op.writeZeroes)).toBe("CEV_READ_ONLY");
    expect(code(NbdErrno.EPERM, Op.read)).toBe("CEV_ACCESS");
    expect(code(NbdErrno.ENOSPC)).toBe("CEV_NO_SPACE");
    expect(code(NbdErrno.ENOMEM)).toBe("CEV_NO_MEMORY");
    expect(code(NbdErrno.ENOTSUP)).toBe("CEV_NOT_SUPPORTED");
    expect(code(NbdErrno.EOVERFLOW)).toBe("CEV_INVALID");
    expect(errorOfNbd(5, "write", "the disk is gone").message).toBe(
      "the server answered EIO: the disk is gone",
    );
  });

  test("of values that the document does not have count as EINVAL", () => {
    expect(errorOfNbd(11, "read", "")).toEqual({
      code: "CEV_INVALID",
      message: "the server answered error 11",
    });
  });
});
