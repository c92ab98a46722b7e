import { OptionReply, OptionType } from "../../protocol/numbers.ts";

// No option but those on contexts needs more.
const DATA_LENGTH_MAX = 16_384;
// A name, and sixteen queries of the longest kind, each with its length.
const META_DATA_LENGTH_MAX = 4 + 4096 + 4 + 16 * (4 + 4096);

const KNOWN: ReadonlySet<number> = new Set(Object.values(OptionType));

export function isKnownOption(option: number): boolean {
  return KNOWN.has(option);
}

/** The longest data of an option that is kept, in bytes; longer data is thrown away as it comes. */
export function optionDataLengthMax(option: number): number {
  return option === OptionType.listMetaContext || option === OptionType.setMetaContext
    ? META_DATA_LENGTH_MAX
    : DATA_LENGTH_MAX;
}

/** An answer to an option that refuses it. */
export type OptionRefusal = Exclude<
  OptionReply,
  | typeof OptionReply.ack
  | typeof OptionReply.server
  | typeof OptionReply.info
  | typeof OptionReply.metaContext
  | typeof OptionReply.errorBlockSizeRequired
>;

const SENTENCES: Readonly<Record<OptionRefusal, string>> = {
  [OptionReply.errorUnsupported]: "this option is not known here",
  [OptionReply.errorPolicy]: "the server does not allow this",
  [OptionReply.errorInvalid]: "the data of the option is not well formed",
  [OptionReply.errorPlatform]: "TLS cannot be started on this kind of connection",
  [OptionReply.errorTlsRequired]: "the server wants TLS",
  [OptionReply.errorUnknown]: "there is no export of that name",
  [OptionReply.errorShutdown]: "the server is being shut down",
  [OptionReply.errorTooBig]: "the data of the option is too long",
  [OptionReply.errorExtendedHeadersRequired]: "extended headers are agreed on already",
};

/** What goes with a refusal, for people. */
export function sentenceOf(refusal: OptionRefusal): Uint8Array {
  return new TextEncoder().encode(SENTENCES[refusal]);
}
