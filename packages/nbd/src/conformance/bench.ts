import type { Environment } from "@cev/core";
import { InfoType, OptionReply, OptionType } from "../protocol/numbers.ts";
import { decodeInfoAnswer } from "./export-facts.ts";
import { demandAck, encodeInfo, encodeQueries, Haggling } from "./haggling.ts";
import { Session } from "./session.ts";
import type { Style } from "./session.ts";
import { startTls } from "./starttls.ts";
import type { Survey } from "./survey.ts";
import type { ConformanceTarget } from "./target.ts";
import { demand, notApplicable } from "./violation.ts";
import { Wire } from "./wire.ts";

/** How a transmission is entered. */
export interface EnterOptions {
  /** By default simple replies. */
  readonly style?: Style;
  /** Queries for SET_META_CONTEXT. */
  readonly contexts?: readonly string[];
  /** By default the export under test. */
  readonly name?: string;
}

/** Requests of the suite are multiples of this, unless they are about smaller ones. */
export const UNIT_MIN = 512;
/** What is changed lies in the last bytes of the export. */
const SCRATCH_MAX = 67_108_864;

/** What a check works with: new connections, and the place where it may write. All connections are closed after the check. */
export class Bench {
  readonly target: ConformanceTarget;
  readonly survey: Survey;
  readonly environment: Environment;
  readonly timeoutMs: number;
  readonly readOnlyName: string | null;
  /** Ends every connection when it aborts. */
  readonly signal: AbortSignal | undefined;
  readonly #wires: Wire[] = [];

  constructor(options: {
    readonly target: ConformanceTarget;
    readonly survey: Survey;
    readonly environment: Environment;
    readonly timeoutMs: number;
    readonly readOnlyName: string | null;
    readonly signal?: AbortSignal | undefined;
  }) {
    this.target = options.target;
    this.survey = options.survey;
    this.environment = options.environment;
    this.timeoutMs = options.timeoutMs;
    this.readOnlyName = options.readOnlyName;
    this.signal = options.signal;
  }

  get exportName(): string {
    return this.target.exportName;
  }

  /** Whether the checks speak TLS with the server. */
  get usesTls(): boolean {
    return this.target.tls?.isRequired === true;
  }

  /** Errors that a server may answer with: one that insists on TLS has another for whoever does without. */
  orTls(types: readonly number[]): readonly number[] {
    return this.survey.isTlsForced && !this.usesTls ? [...types, OptionReply.errorTlsRequired] : types;
  }

  /** Bytes of the export. */
  get size(): number {
    const { simple } = this.survey;
    if (simple === null) notApplicable("the export could not be looked at");
    if (simple.size === 0n) notApplicable("the export has no bytes");
    if (simple.size > Number.MAX_SAFE_INTEGER) notApplicable("the export is larger than 8 PiB");
    return Number(simple.size);
  }

  /** Requests have to be multiples of this. */
  get minimum(): number {
    return this.survey.simple?.blockSizes?.minimum ?? 1;
  }

  /** Requests of the suite are multiples of this: at least a sector. */
  get unit(): number {
    return Math.max(this.minimum, UNIT_MIN);
  }

  /** Longest payload of a request. */
  get payloadMax(): number {
    return Math.min(this.survey.simple?.blockSizes?.payloadMax ?? 33_554_432, 33_554_432);
  }

  /** Where the checks may write. */
  get scratch(): { readonly offset: number; readonly length: number } {
    const { unit } = this;
    const end = this.size - (this.size % unit);
    const offset = Math.max(0, end - SCRATCH_MAX);
    const start = offset % unit === 0 ? offset : offset + unit - (offset % unit);
    return { offset: start, length: end - start };
  }

  /** What is put back after the checks: where they write, and what is left behind it of an export that ends within a unit. */
  get kept(): { readonly offset: number; readonly length: number } {
    const { offset } = this.scratch;
    return { offset, length: this.size - (this.size % this.minimum) - offset };
  }

  /** A connection of which nothing was read. */
  async connect(): Promise<Wire> {
    const wire = await Wire.open(this.target, this);
    this.#wires.push(wire);
    return wire;
  }

  /** A connection after the greeting; in TLS where the server must not be spoken to otherwise. */
  async haggle(clientFlags: number | null = null): Promise<Haggling> {
    const haggling = await this.hagglePlain(clientFlags);
    if (this.target.tls?.isRequired === true) await startTls(haggling, this.target.tls);
    return haggling;
  }

  /** A connection after the greeting, without TLS. */
  async hagglePlain(clientFlags: number | null = null): Promise<Haggling> {
    return Haggling.start(await this.connect(), clientFlags);
  }

  /** A connection in transmission. */
  async enter(options: EnterOptions = {}): Promise<Session> {
    return enterTransmission(await this.haggle(), { name: this.exportName, ...options });
  }

  /** Lets time go by. */
  pause(ms: number): Promise<void> {
    return new Promise((resolve) => this.environment.clock.after(ms, resolve));
  }

  /** Closes all connections. */
  async end(): Promise<void> {
    await Promise.all(this.#wires.map((wire) => wire.close()));
  }

  /** What went over the last connections. */
  transcript(): string {
    return this.#wires
      .slice(-3)
      .map((wire) => wire.transcript.text())
      .join("\n\n");
  }
}

/** Goes from haggling to transmission. */
export async function enterTransmission(
  haggling: Haggling,
  { style = "simple", contexts = [], name = "" }: EnterOptions,
): Promise<Session> {
  if (style !== "simple") {
    const option = style === "extended" ? OptionType.extendedHeaders : OptionType.structuredReply;
    demandAck(await haggling.ask(option), style === "extended" ? "EXTENDED_HEADERS" : "STRUCTURED_REPLY");
  }
  const ids = new Map<string, number>();
  if (contexts.length > 0) {
    const answer = await haggling.ask(OptionType.setMetaContext, encodeQueries(name, contexts));
    demandAck(answer, "SET_META_CONTEXT");
    for (const { data } of answer.replies) {
      demand(data.length >= 4, "a metadata context has no id");
      ids.set(data.toString("utf8", 4), data.readUInt32BE(0));
    }
  }
  const answer = await haggling.ask(OptionType.go, encodeInfo(name, [InfoType.blockSize]));
  demandAck(answer, "GO");
  return new Session(haggling.wire, { style, facts: decodeInfoAnswer(answer), contexts: ids });
}
