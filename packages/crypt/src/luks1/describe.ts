import type { HeaderSource } from "../luks2/copies.ts";
import { LUKS1_STRIPES } from "./header.ts";
import type { Luks1Keyslot } from "./header.ts";
import { readLuks1Header } from "./volume.ts";

/** All that a LUKS1 header says, as plain data. Byte strings are hexadecimal, sizes and offsets bytes. */
export interface Luks1Dump {
  readonly version: 1;
  readonly uuid: string;
  readonly cipherName: string;
  readonly cipherMode: string;
  readonly hash: string;
  /** 0: a detached header. */
  readonly payloadOffset: number;
  readonly keySize: number;
  readonly digest: string;
  readonly digestSalt: string;
  readonly digestIterations: number;
  readonly keyslots: readonly Luks1DumpedKeyslot[];
}

/** One of the eight keyslots, in use or free. */
export interface Luks1DumpedKeyslot {
  readonly id: number;
  readonly isEnabled: boolean;
  readonly state: Luks1Keyslot["state"];
  readonly iterations: number;
  readonly salt: string;
  readonly offset: number;
  readonly stripes: number;
}

/** Reads the LUKS1 header of a device that carries one. Throws `CEV_BAD_METADATA` for one that cannot be used. */
export async function readLuks1Dump(source: HeaderSource): Promise<Luks1Dump> {
  const { keyslots, digest, digestSalt, ...header } = await readLuks1Header(source);
  return {
    version: 1,
    ...header,
    digest: hex(digest),
    digestSalt: hex(digestSalt),
    keyslots: keyslots.map(({ state, iterations, salt, offset }, id) => ({
      id,
      isEnabled: state === "enabled",
      state,
      iterations,
      salt: hex(salt),
      offset,
      stripes: LUKS1_STRIPES,
    })),
  };
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
