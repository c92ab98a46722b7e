export { LargeBlockLayer } from "./blocksize/large-block-layer.ts";
export { SmallBlockLayer } from "./blocksize/small-block-layer.ts";
export { blockSizeDriver } from "./blocksize/driver.ts";
export { blockSizeOptions } from "./blocksize/options.ts";
export type { BlockSizeOptions } from "./blocksize/options.ts";
export { SwapLayer } from "./byteswap/swap-layer.ts";
export { byteSwapDriver } from "./byteswap/driver.ts";
export { byteSwapOptions } from "./byteswap/options.ts";
export type { ByteSwapOptions, WordLength } from "./byteswap/options.ts";
