import { CevError } from "@cev/core";
import { UsageError } from "../usage-error.ts";
import { readKey } from "./key-file.ts";
import type { KeyRange } from "./key-file.ts";
import { StandardInput } from "./standard-input.ts";
import { Terminal } from "./terminal.ts";

const NEWLINE = 0x0a;

/** Where a passphrase or key comes from. */
export interface KeyRequest {
  /** What is asked on a terminal. */
  readonly prompt: string;
  /** It is being set: somebody at a terminal types it twice. */
  readonly isNew?: boolean;
  /** A file, byte for byte; "-": all of standard input. By default a prompt, or a line of standard input where that is no terminal. */
  readonly keyFile?: string | undefined;
  readonly range?: KeyRange;
  /** In place of a key file: a file of which the last newline does not count. */
  readonly passphraseFile?: string | undefined;
}

export interface KeyReaderOptions {
  readonly signal?: AbortSignal;
  /** How long a prompt waits for an answer. */
  readonly timeoutMs?: number | undefined;
  /** Called before somebody is asked something. */
  readonly onAsk?: () => void;
  /** Called when a key was read, or an answer: the work goes on. */
  readonly onRead?: () => void;
}

/**
 * Reads the passphrases and keys of one command: from files, descriptors, standard input, or from a prompt without echo. None comes from the
 * command line. What it has given is wiped when it is disposed of.
 */
export class KeyReader implements Disposable {
  readonly #options: KeyReaderOptions;
  readonly #given: Uint8Array[] = [];
  #terminal: Terminal | null | undefined;
  #input: StandardInput | null = null;

  constructor(options: KeyReaderOptions = {}) {
    this.#options = options;
  }

  /** Somebody can be asked. */
  get isInteractive(): boolean {
    return this.#findTerminal() !== null;
  }

  /** A passphrase or key. It is wiped together with this reader. */
  async read(request: KeyRequest): Promise<Uint8Array> {
    const key = this.#keep(await this.#readFrom(request));
    this.#options.onRead?.();
    return key;
  }

  /** A visible answer. Null: there is nobody to ask. */
  async ask(prompt: string): Promise<string | null> {
    const terminal = this.#findTerminal();
    if (terminal === null) return null;
    const { signal, onAsk, onRead } = this.#options;
    onAsk?.();
    const answer = Buffer.from(await terminal.ask({ prompt, isHidden: false, signal })).toString();
    onRead?.();
    return answer;
  }

  async #readFrom(request: KeyRequest): Promise<Uint8Array> {
    const { keyFile, passphraseFile, range = {} } = request;
    if (keyFile !== undefined && keyFile !== "-") return readKey(keyFile, range);
    if (keyFile === undefined && passphraseFile !== undefined && passphraseFile !== "-")
      return withoutNewline(this.#keep(await readKey(passphraseFile, range)));
    const terminal = this.#findTerminal();
    if (terminal !== null && (range.offset ?? range.size) !== undefined)
      throw new UsageError("a part of a key is not typed at a terminal: name a key file, or pipe it");
    if (terminal !== null) return this.#askSecret(terminal, request);
    this.#input ??= new StandardInput(this.#options.signal);
    return keyFile === undefined ? this.#input.readLine() : this.#input.readAll(range);
  }

  async #askSecret(terminal: Terminal, { prompt, isNew }: KeyRequest): Promise<Uint8Array> {
    const { signal, timeoutMs, onAsk } = this.#options;
    onAsk?.();
    const first = this.#keep(await terminal.ask({ prompt, isHidden: true, signal, timeoutMs }));
    if (isNew !== true) return first;
    const again = this.#keep(
      await terminal.ask({ prompt: "Verify passphrase: ", isHidden: true, signal, timeoutMs }),
    );
    if (Buffer.compare(first, again) === 0) return first;
    throw new CevError("CEV_INVALID", "the two passphrases differ; nothing was changed");
  }

  #findTerminal(): Terminal | null {
    this.#terminal ??= Terminal.atInput();
    return this.#terminal;
  }

  #keep(secret: Uint8Array): Uint8Array {
    this.#given.push(secret);
    return secret;
  }

  [Symbol.dispose](): void {
    for (const secret of this.#given) secret.fill(0);
    this.#given.length = 0;
    this.#input?.[Symbol.dispose]();
    this.#terminal?.[Symbol.dispose]();
  }
}

const withoutNewline = (bytes: Uint8Array): Uint8Array =>
  bytes.at(-1) === NEWLINE ? bytes.subarray(0, -1) : bytes;
