import {
  InfoType,
  OptionReply,
  OptionType,
  STRING_LENGTH_MAX,
  TransmissionFlag,
} from "../protocol/numbers.ts";
import type { Need } from "./check.ts";
import { decodeInfoAnswer } from "./export-facts.ts";
import type { ExportFacts } from "./export-facts.ts";
import { encodeInfo, encodeQueries, Haggling, replyText } from "./haggling.ts";
import { startTls } from "./starttls.ts";
import type { ConformanceTarget } from "./target.ts";
import { Unreachable, Violation } from "./violation.ts";
import { Wire } from "./wire.ts";
import type { WireOptions } from "./wire.ts";

/** The context that the document defines. */
export const ALLOCATION = "base:allocation";

/** What a server offers, looked at before the checks begin. */
export interface Survey {
  readonly handshakeFlags: number;
  /** Null: it could not be looked at, for the reason that stands in `trouble`. */
  readonly simple: ExportFacts | null;
  readonly structured: ExportFacts | null;
  readonly extended: ExportFacts | null;
  readonly hasMeta: boolean;
  /** Names; null where the server does not tell them. */
  readonly exportNames: readonly string[] | null;
  /** The answer to STARTTLS: a reply type, 0 where the connection ended. */
  readonly tlsReply: number;
  readonly isTlsForced: boolean;
  readonly takesTwoConnections: boolean;
  /** Whether only clients that ask for block sizes are told of the export. */
  readonly needsBlockSizes: boolean;
  readonly trouble: string | null;
}

/** Looks at a server. What is wrong there is for the checks to find: here it is as if it were not offered. */
export async function surveyServer(target: ConformanceTarget, options: WireOptions): Promise<Survey> {
  const { exportName } = target;
  const items = [InfoType.name, InfoType.description, InfoType.blockSize];
  const open = async (): Promise<Haggling> => {
    const haggling = await Haggling.start(await Wire.open(target, options));
    if (target.tls?.isRequired === true) await startTls(haggling, target.tls);
    return haggling;
  };
  let trouble: string | null = null;
  const attempt = async <Result>(
    missing: Result,
    look: (haggling: Haggling) => Promise<Result>,
    start: () => Promise<Haggling> = open,
  ): Promise<Result> => {
    let haggling: Haggling | null = null;
    try {
      haggling = await start();
      return await look(haggling);
    } catch (error) {
      if (error instanceof Unreachable || options.signal?.aborted === true) throw error;
      trouble ??= error instanceof Error ? error.message : String(error);
      return missing;
    } finally {
      await haggling?.wire.close();
    }
  };
  // GO binds: servers exist whose INFO is wrong.
  const look = async (haggling: Haggling): Promise<ExportFacts> => {
    const answer = await haggling.ask(OptionType.go, encodeInfo(exportName, items));
    if (!answer.isAck) throw new Violation(`the export was refused with ${replyText(answer.final)}`);
    return decodeInfoAnswer(answer);
  };

  const plain = (): Promise<Haggling> => Wire.open(target, options).then((wire) => Haggling.start(wire));
  const handshakeFlags = await attempt(0, async (one) => one.handshakeFlags, plain);
  const simple = await attempt(null, look);
  const firstTrouble = trouble;
  const isTlsForced = await attempt(
    false,
    async (one) => (await one.ask(OptionType.list)).final.type === OptionReply.errorTlsRequired,
    plain,
  );
  const structured = await attempt(null, async (one) =>
    (await one.ask(OptionType.structuredReply)).isAck ? await look(one) : null,
  );
  const hasMeta = await attempt(false, async (one) => {
    if (!(await one.ask(OptionType.structuredReply)).isAck) return false;
    const answer = await one.ask(OptionType.setMetaContext, encodeQueries(exportName, [ALLOCATION]));
    return answer.isAck && answer.replies.length > 0;
  });
  const extended = await attempt(null, async (one) => {
    if (!(await one.ask(OptionType.extendedHeaders)).isAck) return null;
    await one.ask(OptionType.setMetaContext, encodeQueries(exportName, [ALLOCATION]));
    return look(one);
  });
  const exportNames = await attempt(null, async (one) => {
    const answer = await one.ask(OptionType.list);
    return answer.isAck ? answer.replies.map(({ data }) => listedName(data)) : null;
  });
  const tlsReply = await attempt(
    0,
    async (one) => {
      one.send(OptionType.startTls);
      return (await one.receive(OptionType.startTls)).type;
    },
    plain,
  );
  const takesTwoConnections = await attempt(false, async (first) => {
    const second = await open();
    const answer = await second.ask(OptionType.info, encodeInfo(exportName));
    await second.wire.close();
    return answer.isAck && (await first.ask(OptionType.info, encodeInfo(exportName))).isAck;
  });
  const needsBlockSizes = await attempt(false, async (one) => {
    const { final } = await one.ask(OptionType.info, encodeInfo(exportName, []));
    return final.type === OptionReply.errorBlockSizeRequired;
  });
  return {
    handshakeFlags,
    simple,
    structured,
    extended,
    hasMeta,
    exportNames,
    tlsReply,
    isTlsForced,
    takesTwoConnections,
    needsBlockSizes,
    trouble: firstTrouble,
  };
}

/** The name in a reply to LIST. */
export function listedName(data: Buffer): string {
  const length = data.length >= 4 ? data.readUInt32BE(0) : STRING_LENGTH_MAX;
  return data.toString("utf8", 4, 4 + Math.min(length, STRING_LENGTH_MAX));
}

/** What whoever runs the suite allows. */
export interface Permissions {
  readonly canWrite: boolean;
  readonly hasTls: boolean;
  readonly mustUseTls: boolean;
  readonly hasReadOnlyExport: boolean;
}

/** Whether a need is met. */
export function isMet(need: Need, survey: Survey, may: Permissions): boolean {
  const flags = survey.simple?.flags ?? 0;
  const has = (flag: number): boolean => (flags & flag) !== 0;
  const isReadOnly = has(TransmissionFlag.readOnly);
  switch (need) {
    case "export":
      return survey.simple !== null;
    case "write":
      return survey.simple !== null && may.canWrite && !isReadOnly;
    case "flush":
      return has(TransmissionFlag.sendFlush);
    case "fua":
      return has(TransmissionFlag.sendFua);
    case "trim":
      return has(TransmissionFlag.sendTrim);
    case "zeroes":
      return has(TransmissionFlag.sendWriteZeroes);
    case "fastZero":
      return has(TransmissionFlag.sendFastZero);
    case "cache":
      return has(TransmissionFlag.sendCache);
    case "structured":
      return survey.structured !== null;
    case "df":
      return ((survey.structured?.flags ?? 0) & TransmissionFlag.sendDf) !== 0;
    case "extended":
      return survey.extended !== null;
    case "meta":
      return survey.hasMeta;
    case "statusPayload":
      return ((survey.extended?.flags ?? 0) & TransmissionFlag.blockStatusPayload) !== 0;
    case "list":
      return survey.exportNames !== null;
    case "tls":
      return may.hasTls && survey.tlsReply === OptionReply.ack;
    case "plain":
      return !survey.isTlsForced && !may.mustUseTls;
    case "twoConnections":
      return survey.takesTwoConnections;
    case "multiConn":
      return has(TransmissionFlag.canMultiConn) && survey.takesTwoConnections;
    case "readOnly":
      return survey.simple !== null && (isReadOnly || may.hasReadOnlyExport);
  }
}
