import { leadsTo, partOf } from "@cev/core";
import type { Environment, Io, JointLayer, JointWatcher } from "@cev/core";
import { PartNode, RequestNode } from "./request-tree.ts";
import type { RequestTree } from "./request-tree.ts";

/** A device whose joint is watched. */
export interface WatchedDevice {
  readonly name: string;
  /** Nothing of the stack stands on it: what comes there comes from outside. */
  readonly isUppermost: boolean;
}

/** A request, or a part of one, that is under way. */
interface Entry {
  readonly io: Io;
  readonly generation: number;
  readonly node: RequestNode;
  readonly root: Entry | null;
  /** Devices that it has passed downwards and not upwards. */
  depth: number;
}

/** Files every passing under the request that it belongs to, and hands on the tree of each request that has ended. */
export class RequestFiler implements JointWatcher {
  /** The devices that are watched, by their joints; the same joints have it as their watcher. */
  readonly devices: Map<JointLayer, WatchedDevice> = new Map<JointLayer, WatchedDevice>();
  readonly #environment: Environment;
  readonly #onEnd: (tree: RequestTree) => void;
  readonly #startMs: number;
  readonly #entries = new Map<Io, Entry>();
  readonly #roots = new Set<Entry>();

  constructor(environment: Environment, onEnd: (tree: RequestTree) => void) {
    this.#environment = environment;
    this.#onEnd = onEnd;
    this.#startMs = environment.clock.now();
  }

  down(io: Io, joint: JointLayer): void {
    const device = this.devices.get(joint);
    if (device === undefined) return;
    const entry = this.#entryOf(io) ?? this.#file(io, device);
    entry.depth++;
    entry.node.passings.push({
      device: device.name,
      direction: "down",
      atUs: this.#now(),
      offset: io.offset,
    });
  }

  up(io: Io, joint: JointLayer): void {
    const device = this.devices.get(joint);
    const entry = this.#entryOf(io);
    // Some were under way before anybody watched.
    if (device === undefined || entry === null || entry.depth === 0) return;
    const atUs = this.#now();
    const { node } = entry;
    node.passings.push({ device: device.name, direction: "up", atUs, offset: io.offset });
    if (--entry.depth > 0) return;
    node.durationUs = atUs - node.startUs;
    node.error = io.error?.code ?? null;
    if (node instanceof PartNode) node.end();
    if (entry.root === null) this.#end(entry);
  }

  #now(): number {
    return Math.round((this.#environment.clock.now() - this.#startMs) * 1000);
  }

  #entryOf(io: Io): Entry | null {
    const entry = this.#entries.get(io);
    return entry?.generation === io.generation ? entry : null;
  }

  #file(io: Io, device: WatchedDevice): Entry {
    const above = device.isUppermost ? null : this.#aboveOf(io);
    return above === null ? this.#fileRoot(io, !device.isUppermost) : this.#filePart(io, above);
  }

  /** What a request is a part of, as far as that was seen; null: of nothing. */
  #aboveOf(io: Io): Entry | null {
    const whole = partOf(io)?.compound.io;
    if (whole !== undefined) return this.#entryOf(whole) ?? this.#between(whole);
    for (const root of this.#roots) if (leadsTo(root.io, io)) return root;
    return null;
  }

  /** A part that passed no joint itself, and was split again. */
  #between(io: Io): Entry | null {
    const above = this.#aboveOf(io);
    return above === null ? null : this.#filePart(io, above);
  }

  #fileRoot(io: Io, isOwn: boolean): Entry {
    const node = new RequestNode(io, this.#now(), isOwn);
    const entry = { io, generation: io.generation, node, root: null, depth: 0 };
    this.#entries.set(io, entry);
    this.#roots.add(entry);
    return entry;
  }

  #filePart(io: Io, above: Entry): Entry {
    const node = new PartNode(io, this.#now(), partOf(io));
    above.node.parts.push(node);
    const entry = { io, generation: io.generation, node, root: above.root ?? above, depth: 0 };
    this.#entries.set(io, entry);
    return entry;
  }

  #end(root: Entry): void {
    this.#roots.delete(root);
    for (const [io, entry] of this.#entries)
      if (entry === root || entry.root === root) this.#entries.delete(io);
    this.#onEnd(root.node);
  }
}
