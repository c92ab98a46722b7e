import { InfoType } from "../../protocol/numbers.ts";
import { encodeBlockSizeInfo, encodeExportInfo, encodeTextInfo } from "../../protocol/option-info.ts";
import type { Export } from "../exports/export.ts";

/** The data of all `info` replies about an export: what always comes, and what was asked for, each once. */
export function infosOf(target: Export, flags: number, infoTypes: readonly number[]): readonly Uint8Array[] {
  const infos = [encodeExportInfo(target.device.size, flags)];
  for (const type of new Set(infoTypes)) {
    const info = infoOf(target, type);
    if (info !== null) infos.push(info);
  }
  return infos;
}

function infoOf(target: Export, type: number): Uint8Array | null {
  switch (type) {
    case InfoType.name:
      return encodeTextInfo(InfoType.name, target.nameBytes);
    case InfoType.description:
      if (target.descriptionBytes.length === 0) return null;
      return encodeTextInfo(InfoType.description, target.descriptionBytes);
    case InfoType.blockSize:
      return encodeBlockSizeInfo(target.blockSizes);
    default:
      return null;
  }
}
