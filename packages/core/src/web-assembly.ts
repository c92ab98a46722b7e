/**
 * The little of WebAssembly that core uses, declared here: the compiler's `dom` library would bring a browser's
 * globals into every package that imports this one.
 */
export interface WasmMemory {
  readonly buffer: ArrayBuffer;
}

/** A compiled module. */
export interface WasmModule {
  readonly wasmModule?: never;
}

/** What an instance exports: functions of numbers. */
export type WasmExports = Readonly<Record<string, (...args: number[]) => number>>;

interface WebAssemblyNamespace {
  readonly Memory: new (descriptor: { initial: number; maximum: number }) => WasmMemory;
  readonly Module: new (bytes: Uint8Array) => WasmModule;
  readonly Instance: new (
    module: WasmModule,
    imports: { env: { memory: WasmMemory } },
  ) => { readonly exports: WasmExports };
}

declare const WebAssembly: WebAssemblyNamespace;

const PAGE_LENGTH = 65_536;

/** Memory of a fixed size: it never grows, so views of it stay valid. `length` in bytes, a multiple of 64 KiB. */
export function createMemory(length: number): WasmMemory {
  const pages = length / PAGE_LENGTH;
  return new WebAssembly.Memory({ initial: pages, maximum: pages });
}

/** Compiles a module. */
export function compileModule(bytes: Uint8Array): WasmModule {
  return new WebAssembly.Module(bytes);
}

/** An instance that works on the given memory (imported as `env.memory`). */
export function instantiate(module: WasmModule, memory: WasmMemory): WasmExports {
  return new WebAssembly.Instance(module, { env: { memory } }).exports;
}
