import { MetadataError } from "@cev/core";
import { readLuks2Copies } from "./copies.ts";
import type { HeaderSource } from "./read-copy.ts";

/** All that a LUKS2 header says, whether or not the device can be opened here. Nothing in it is secret. */
export interface Luks2Dump {
  readonly version: 2;
  readonly uuid: string;
  readonly label: string;
  readonly subsystem: string;
  /** Grows with every update. */
  readonly sequenceId: bigint;
  /** Bytes of one header copy, of the two there are. */
  readonly headerSize: number;
  /** Bytes of the area for keyslots behind both copies. */
  readonly keyslotsSize: number;
  /** What is not as it should be with one of the copies, in words for people. */
  readonly problem: string | null;
  /** The JSON area as it stands on the disk: keyslots, tokens, segments, digests and settings, with whatever is not known here. */
  readonly jsonText: string;
}

/** Reads a LUKS2 header in order to show it. Throws `CEV_BAD_METADATA` when there is none that is valid. */
export async function readLuks2Dump(source: HeaderSource): Promise<Luks2Dump> {
  const copies = await readLuks2Copies(source);
  if (copies === null) {
    const place = { source: source.name, structure: "LUKS2 header", byteOffset: 0 };
    throw new MetadataError("there is no LUKS2 header here", place);
  }
  const { header, root, problem } = copies;
  const { uuid, label, subsystem, sequenceId, headerSize } = header;
  return {
    version: 2,
    uuid,
    label,
    subsystem,
    sequenceId,
    headerSize,
    keyslotsSize: root.member("config").member("keyslots_size").decimal(),
    problem,
    jsonText: Buffer.from(root.source()).toString("utf8"),
  };
}
