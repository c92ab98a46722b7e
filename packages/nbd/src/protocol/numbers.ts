/**
 * Numbers of the NBD protocol, as in `doc/proto.md` of the public repository NetworkBlockDevice/nbd. Magic numbers of eight
 * bytes stand as two halves. Multi-byte values are big-endian on the wire.
 */

/** "NBDMAGIC" and "IHAVEOPT": the first sixteen bytes of a server; the second also starts every option. */
export const INIT_MAGIC = { high: 0x4e42444d, low: 0x41474943 } as const;
export const OPTION_MAGIC = { high: 0x49484156, low: 0x454f5054 } as const;
export const OPTION_REPLY_MAGIC = { high: 0x0003e889, low: 0x045565a9 } as const;
/** In the place of `OPTION_MAGIC`: a server of before 2011, which has no options. */
export const OLDSTYLE_MAGIC = { high: 0x00004202, low: 0x81861253 } as const;
export const REQUEST_MAGIC = 0x25609513;
export const EXTENDED_REQUEST_MAGIC = 0x21e41c71;
export const SIMPLE_REPLY_MAGIC = 0x67446698;
export const STRUCTURED_REPLY_MAGIC = 0x668e33ef;
export const EXTENDED_REPLY_MAGIC = 0x6e8a278c;

/** Which heads messages of the transmission have. Extended headers stand in the branch `extension-ext-header` of the document. */
export const HeaderStyle = { simple: 0, structured: 1, extended: 2 } as const;
export type HeaderStyle = (typeof HeaderStyle)[keyof typeof HeaderStyle];

/** Lengths of the fixed parts of messages, in bytes. */
export const GREETING_LENGTH = 18;
export const CLIENT_FLAGS_LENGTH = 4;
export const OPTION_HEADER_LENGTH = 16;
export const OPTION_REPLY_HEADER_LENGTH = 20;
export const EXPORT_NAME_ZEROES_LENGTH = 124;
export const EXPORT_NAME_REPLY_LENGTH = 10;
export const REQUEST_LENGTH = 28;
export const EXTENDED_REQUEST_LENGTH = 32;
export const SIMPLE_REPLY_LENGTH = 16;
export const STRUCTURED_REPLY_LENGTH = 20;
export const EXTENDED_REPLY_LENGTH = 32;
/** Longest string, in bytes. */
export const STRING_LENGTH_MAX = 4096;
/** Payloads up to this length every server has to bear. */
export const PAYLOAD_LENGTH_PORTABLE = 33_554_432;

/** Sent by the server, first. */
export const HandshakeFlag = { fixedNewstyle: 1, noZeroes: 2 } as const;
/** The client's answer. */
export const ClientFlag = { fixedNewstyle: 1, noZeroes: 2 } as const;

/** What the client may ask for before the transmission. */
export const OptionType = {
  exportName: 1,
  abort: 2,
  list: 3,
  startTls: 5,
  info: 6,
  go: 7,
  structuredReply: 8,
  listMetaContext: 9,
  setMetaContext: 10,
  extendedHeaders: 11,
} as const;

/** Answers to options. */
export const OptionReply = {
  ack: 1,
  server: 2,
  info: 3,
  metaContext: 4,
  errorUnsupported: 0x80000001,
  errorPolicy: 0x80000002,
  errorInvalid: 0x80000003,
  errorPlatform: 0x80000004,
  errorTlsRequired: 0x80000005,
  errorUnknown: 0x80000006,
  errorShutdown: 0x80000007,
  errorBlockSizeRequired: 0x80000008,
  errorTooBig: 0x80000009,
  errorExtendedHeadersRequired: 0x8000000a,
} as const;
export type OptionReply = (typeof OptionReply)[keyof typeof OptionReply];

/** What an `info` reply is about. */
export const InfoType = { export: 0, name: 1, description: 2, blockSize: 3 } as const;

/** What an export offers in the transmission. */
export const TransmissionFlag = {
  hasFlags: 1,
  readOnly: 2,
  sendFlush: 4,
  sendFua: 8,
  rotational: 16,
  sendTrim: 32,
  sendWriteZeroes: 64,
  sendDf: 128,
  canMultiConn: 256,
  sendCache: 1024,
  sendFastZero: 2048,
  blockStatusPayload: 4096,
} as const;

/** Requests of the transmission. */
export const Command = {
  read: 0,
  write: 1,
  disconnect: 2,
  flush: 3,
  trim: 4,
  cache: 5,
  writeZeroes: 6,
  blockStatus: 7,
} as const;

/** Flags of a request. */
export const CommandFlag = { fua: 1, noHole: 2, df: 4, reqOne: 8, fastZero: 16, payloadLength: 32 } as const;

/** Chunks of structured and extended replies. */
export const ChunkFlag = { done: 1 } as const;
export const ChunkType = {
  none: 0,
  offsetData: 1,
  offsetHole: 2,
  blockStatus: 5,
  blockStatusExtended: 6,
  error: 0x8001,
  errorOffset: 0x8002,
} as const;

/** Set in the type of every chunk that tells of an error, also of such that are not known. */
export const CHUNK_ERROR_BIT = 0x8000;

/** Status flags of the context `base:allocation`. */
export const AllocationFlag = { hole: 1, zero: 2 } as const;

/** The values an error field may have. */
export const NbdErrno = {
  EPERM: 1,
  EIO: 5,
  ENOMEM: 12,
  EINVAL: 22,
  ENOSPC: 28,
  EOVERFLOW: 75,
  ENOTSUP: 95,
  ESHUTDOWN: 108,
} as const;
export type NbdErrno = (typeof NbdErrno)[keyof typeof NbdErrno];
