import { CevError } from "@cev/core";
import type { Dialler } from "../../src/client/open-link.ts";
import { NbdErrno } from "../../src/protocol/numbers.ts";
import type { Chance } from "../client-streams/chance.ts";
import type { StreamWorld } from "../client-streams/world.ts";
import { ScriptedConnection } from "./scripted-connection.ts";
import type { Script } from "./script.ts";

/** A server that answers well or badly, as its script says, over a stream in memory. */
export class ScriptedServer {
  readonly world: StreamWorld;
  readonly chance: Chance;
  readonly script: Script;
  readonly disk: Uint8Array;
  /** What reads were answered with, by offset and length. */
  readonly given: Map<string, Uint8Array[]>;
  connectionCount = 0;
  bytesSent = 0;
  /** False: nobody listens. */
  isListening = true;
  readonly #open = new Set<ScriptedConnection>();

  /** `disk`: has what it has at the beginning. */
  constructor(world: StreamWorld, script: Script, disk: Uint8Array, chance: Chance) {
    this.world = world;
    this.script = script;
    this.chance = chance;
    this.disk = disk;
    this.given = new Map();
  }

  get openCount(): number {
    return this.#open.size;
  }

  get dialler(): Dialler {
    return {
      source: "script",
      secure: null,
      connect: async (user) => {
        if (!this.isListening) throw new CevError("CEV_DEVICE_LOST", "nobody listens there");
        const isBad = this.connectionCount++ < this.script.badCount;
        const connection = new ScriptedConnection(this, user, isBad);
        this.#open.add(connection);
        connection.begin();
        return connection;
      },
    };
  }

  /** Nobody answers any more, and whoever is connected is told. */
  leave(): void {
    this.isListening = false;
    for (const connection of this.#open) connection.cut();
  }

  /** @internal */
  left(connection: ScriptedConnection): void {
    this.#open.delete(connection);
  }

  /** An error for a request that is well, or 0. */
  errnoFor(): number {
    const { chance, script } = this;
    if (!chance.oneIn(script.errorOneIn)) return 0;
    return chance.pick([NbdErrno.EIO, NbdErrno.EINVAL, NbdErrno.ENOSPC, NbdErrno.ENOTSUP, 77]);
  }
}
