import { Buffer } from "node:buffer";
import { Command, NbdErrno, OptionType } from "../../src/protocol/numbers.ts";
import type { RequestHead } from "../../src/protocol/request-head.ts";
import type { Transport, TransportUser } from "../../src/transport/transport.ts";
import { mutate } from "../client-streams/mutate.ts";
import { ClientInput } from "../support/client-input.ts";
import { encodeMessage, failureOf, makeMischief, successOf } from "./answers.ts";
import type { Message } from "./answers.ts";
import { answerOption, greeting } from "./handshake.ts";
import type { ScriptedServer } from "./scripted-server.ts";

/** Stands for what the system still writes into memory that it was given. */
const LATE = 0x5a;

/** Both ends of one connection: the client's transport, and the server behind it. */
export class ScriptedConnection implements Transport {
  readonly waitingLength = 0;
  readonly #server: ScriptedServer;
  readonly #user: TransportUser;
  readonly #isBad: boolean;
  /** The number of the context that tells of holes; another one on each connection. */
  readonly #context: number;
  readonly #input = new ClientInput();
  #outgoing: Buffer = Buffer.alloc(0);
  /** Of the handshake, in order. */
  #said: Buffer[] = [];
  /** Of the transmission: one list for each answer, as those may mix. */
  #answers: Message[][] = [];
  #room: Uint8Array | null = null;
  #isReading = false;
  #isPlanned = false;
  #isOver = false;

  constructor(server: ScriptedServer, user: TransportUser, isBad: boolean) {
    this.#server = server;
    this.#user = user;
    this.#isBad = isBad;
    this.#context = server.chance.word();
  }

  begin(): void {
    this.#said.push(greeting(this.#server.script));
    this.#plan();
  }

  resume(): void {
    this.#isReading = true;
    this.#plan();
  }

  pause(): void {
    this.#isReading = false;
  }

  write(pieces: readonly Buffer[]): boolean {
    if (this.#isOver) return true;
    const { chance, world } = this.#server;
    if (!chance.oneIn(4)) {
      this.#input.push(...pieces);
      this.#plan();
      return true;
    }
    // What is on its way is read from the client's memory only now.
    world.environment.later(() => {
      if (this.#isOver) return;
      this.#input.push(...pieces);
      this.#plan();
      this.#user.drained();
    });
    return false;
  }

  end(): void {
    this.#server.world.environment.later(() => this.cut());
  }

  destroy(): void {
    this.cut();
  }

  /** The line breaks. What the system has still to put into the client's memory comes before the client is told. */
  cut(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#server.world.environment.later(() => {
      this.#server.left(this);
      this.#room?.fill(LATE, 0, Math.min(this.#room.length, 65_536));
      this.#room = null;
      this.#user.closed(null);
    });
  }

  #plan(): void {
    if (this.#isPlanned || this.#isOver) return;
    this.#isPlanned = true;
    this.#server.world.environment.later(() => {
      this.#isPlanned = false;
      this.#turn();
    });
  }

  #turn(): void {
    if (this.#isOver) return;
    const { chance, script } = this.#server;
    while (!this.#isOver && this.#step()) continue;
    if (this.#isOver) return;
    if (this.#input.phase === "transmission" && chance.oneIn(script.cutOneIn)) {
      // Perhaps after half an answer, perhaps in good order.
      if (chance.oneIn(2))
        this.#outgoing = this.#outgoing.subarray(0, chance.below(this.#outgoing.length + 1));
      this.#deliver();
      if (this.#isOver) return;
      if (chance.oneIn(2)) return this.cut();
      return this.#user.ended();
    }
    this.#speak();
    if (this.#isReading) this.#deliver();
    if (!this.#isOver && (this.#outgoing.length > 0 || this.#answers.length > 0) && this.#isReading)
      this.#plan();
  }

  /** Takes one message of the client. */
  #step(): boolean {
    const message = this.#input.next();
    if (message === null) return false;
    if (message.kind === "flags") return true;
    if (message.kind === "option") return this.#option(message.option);
    if (message.head.command === Command.disconnect) {
      this.end();
      return false;
    }
    const answer = this.#do(message.head, message.payload);
    if (this.#misbehaves)
      for (let left = this.#server.chance.below(3); left > 0; left--)
        makeMischief(answer, this.#server.chance);
    this.#answers.push(answer);
    return true;
  }

  get #misbehaves(): boolean {
    return this.#isBad && this.#server.script.isMischievous;
  }

  #option(option: number): boolean {
    const { script, chance } = this.#server;
    if (option === OptionType.abort) {
      this.end();
      return false;
    }
    const { replies, style, isLast } = answerOption(option, script, this.#context, chance);
    this.#said.push(...replies);
    this.#input.style = style ?? this.#input.style;
    if (isLast) this.#input.phase = "transmission";
    return true;
  }

  /** Does a request, and gives its answer. */
  #do(head: Readonly<RequestHead>, payload: Uint8Array): Message[] {
    const { disk, chance, given } = this.#server;
    const style = this.#input.style;
    const isInside = head.offset + head.length <= disk.length;
    const errno = isInside ? this.#server.errnoFor() : NbdErrno.EINVAL;
    if (errno !== 0) return failureOf(head, style, disk, errno, chance);
    if (head.command === Command.write) disk.set(payload, head.offset);
    else if (head.command === Command.writeZeroes) disk.fill(0, head.offset, head.offset + head.length);
    else if (head.command === Command.read) {
      const key = `${head.offset}:${head.length}`;
      const list = given.get(key) ?? [];
      list.push(disk.slice(head.offset, head.offset + head.length));
      given.set(key, list);
    }
    return successOf(head, style, disk, this.#context, chance);
  }

  /** Turns what is to be said into bytes, and breaks them where the script says so. */
  #speak(): void {
    const { chance, script } = this.#server;
    const isHandshake = this.#said.length > 0;
    const pieces = [this.#outgoing, ...this.#said.splice(0)];
    // Some answers wait for a later turn, and chunks of several mix.
    while (this.#answers.length > 0 && !chance.oneIn(8)) {
      const at = chance.below(this.#answers.length);
      const next = this.#answers[at]!.shift();
      if (next === undefined) this.#answers.splice(at, 1);
      else pieces.push(encodeMessage(this.#input.style, next));
    }
    if (pieces.length === 1) return;
    const before = this.#outgoing.length;
    const plain = Buffer.concat(pieces);
    const breaks = this.#isBad && (isHandshake ? script.mutatesHandshake : script.mutatesAnswers);
    if (!breaks || chance.oneIn(isHandshake ? 2 : 3)) {
      this.#outgoing = plain;
      this.#server.bytesSent += plain.length - before;
      return;
    }
    const lengthMax = plain.length + 256;
    const room = Buffer.allocUnsafe(lengthMax);
    const spare = Buffer.allocUnsafe(lengthMax);
    plain.copy(room);
    let { length } = plain;
    for (let left = 1 + chance.below(3); left > 0; left--)
      length = mutate(room, spare, length, { lengthMax: lengthMax - 64, chance });
    this.#outgoing = room.subarray(0, length);
    this.#server.bytesSent += Math.max(0, length - before);
  }

  /** Hands over what was said, in pieces of which some come in a later turn. */
  #deliver(): void {
    const { chance } = this.#server;
    const bytes = this.#outgoing;
    const length = chance.oneIn(2) ? bytes.length : chance.below(bytes.length + 1);
    const pieceMax = chance.oneIn(3) ? 1 + chance.below(40) : 65_536;
    let wants = true;
    let at = 0;
    while (at < length && !this.#isOver) {
      this.#room ??= this.#user.receiveInto();
      const part = bytes.subarray(at, Math.min(length, at + this.#room.length, at + pieceMax));
      this.#room.set(part);
      at += part.length;
      this.#room = null;
      wants = this.#user.received(part.length);
    }
    this.#outgoing = bytes.subarray(at);
    // As sockets do: memory is asked for as soon as the last was used.
    if (!this.#isOver && wants && this.#isReading) this.#room ??= this.#user.receiveInto();
  }
}
