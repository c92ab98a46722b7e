import { Buffer } from "node:buffer";
import { encodeExportNameReply, encodeGreeting } from "../../src/protocol/greeting.ts";
import { HeaderStyle, InfoType, OptionReply, OptionType } from "../../src/protocol/numbers.ts";
import { encodeBlockSizeInfo, encodeExportInfo, encodeTextInfo } from "../../src/protocol/option-info.ts";
import { encodeMetaContext } from "../../src/protocol/option-meta.ts";
import { encodeOptionReply } from "../../src/protocol/option.ts";
import type { Chance } from "../client-streams/chance.ts";
import { DISK_SIZE } from "./script.ts";
import type { Script } from "./script.ts";

/** What becomes of an option. */
export interface OptionAnswer {
  readonly replies: Buffer[];
  /** Null: as before. */
  readonly style: HeaderStyle | null;
  /** The transmission comes next. */
  readonly isLast: boolean;
}

export function greeting({ sendsZeroes }: Script): Buffer {
  const bytes = Buffer.from(encodeGreeting());
  if (sendsZeroes) bytes[bytes.length - 1] = 1;
  return bytes;
}

export function answerOption(option: number, script: Script, context: number, chance: Chance): OptionAnswer {
  const say = (type: number, data?: Uint8Array): Buffer => Buffer.from(encodeOptionReply(option, type, data));
  const answer = (...replies: Buffer[]): OptionAnswer => ({ replies, style: null, isLast: false });
  const ack = say(OptionReply.ack);
  const { style, hasContext, hasGo, sizes } = script;
  switch (option) {
    case OptionType.extendedHeaders:
      if (style !== HeaderStyle.extended) break;
      return { replies: [ack], style, isLast: false };
    case OptionType.structuredReply:
      if (style === HeaderStyle.simple) break;
      return { replies: [ack], style: HeaderStyle.structured, isLast: false };
    case OptionType.setMetaContext:
      if (!hasContext) return answer(ack);
      return answer(say(OptionReply.metaContext, encodeMetaContext(context, "base:allocation")), ack);
    case OptionType.info:
    case OptionType.go: {
      // Whoever has extended headers has this.
      if (!hasGo && style !== HeaderStyle.extended) break;
      const infos = [encodeExportInfo(DISK_SIZE, script.flags)];
      if (sizes !== null) infos.push(encodeBlockSizeInfo(sizes));
      if (chance.oneIn(3)) infos.unshift(encodeTextInfo(InfoType.description, Buffer.from("a disk")));
      if (chance.oneIn(4)) infos.push(Buffer.from([0, 99, 1, 2, 3]));
      const replies = infos.map((info) => say(OptionReply.info, info));
      return { replies: [...replies, ack], style: null, isLast: option === OptionType.go };
    }
    case OptionType.exportName: {
      const reply = Buffer.from(encodeExportNameReply(DISK_SIZE, script.flags, script.sendsZeroes));
      return { replies: [reply], style: null, isLast: true };
    }
    default:
  }
  return answer(say(OptionReply.errorUnsupported, chance.oneIn(2) ? Buffer.from("not here") : undefined));
}
