/** Numbers of block status and of the EXTENDED_HEADERS extension (branch `extension-ext-header` of the protocol document). */
export const EXTENDED_REQUEST_MAGIC = 0x21e41c71;
export const EXTENDED_REPLY_MAGIC = 0x6e8a278c;
export const EXTENDED_REQUEST_LENGTH = 32;
export const EXTENDED_REPLY_LENGTH = 32;
export const PAYLOAD_LENGTH_FLAG = 32;
export const BLOCK_STATUS_PAYLOAD_FLAG = 4096;
export const ERROR_EXTENDED_REQUIRED = 0x8000000a;
/** Chunks with block status, compact and extended. */
export const BLOCK_STATUS_CHUNK = 5;
export const BLOCK_STATUS_EXTENDED_CHUNK = 6;
/** Chunk types with this bit are errors. */
export const ERROR_CHUNK_BIT = 0x8000;
