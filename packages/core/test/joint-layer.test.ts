import { describe, expect, test } from "vitest";
import { JointLayer, Op, closeTree, extentsOf, openTree } from "../src/index.ts";
import type { Run } from "../src/index.ts";
import {
  PassLayer,
  SIZE,
  environment,
  insert,
  newRequest,
  openJoint,
  takeOut,
  turns,
} from "./joint-support.ts";
import { MemoryLayer } from "./support.ts";

describe("a joint", () => {
  test("passes all operations on, refuses others, and counts", async () => {
    const memory = new MemoryLayer(SIZE);
    const joint = await openJoint(memory);
    for (const op of Object.values(Op)) {
      const io = newRequest(op);
      joint.submit(io);
      expect(io.error).toBeNull();
    }
    memory.failure = (io) => {
      expect(io.op).toBe(Op.read);
      return null;
    };
    const unknown = newRequest(9 as Op);
    joint.submit(unknown);
    expect(unknown.error?.code).toBe("CEV_NOT_SUPPORTED");
    expect(joint.counts.write).toMatchObject({ count: 1, bytes: 4096, errorCount: 0 });
    expect(joint.counts).toMatchObject({ inFlight: 0, inFlightMax: 1 });
    expect(memory.seen.length).toBe(5);
  });

  test("waits for what is under way, keeps new requests back, flushes, and lets them go on in order over the new layer", async () => {
    const memory = new MemoryLayer(SIZE);
    const joint = await openJoint(memory);
    memory.isManual = true;
    const first = newRequest(Op.write);
    joint.submit(first);
    const inserting = insert(joint, (lower) => new PassLayer(lower));
    await turns();
    const later = [newRequest(Op.read, 0), newRequest(Op.write, 4096), newRequest(Op.flush, 0, 0)];
    for (const io of later) joint.submit(io);
    expect(memory.waiting).toEqual([first]);
    expect(joint.isQuiet).toBe(true);
    memory.finish();
    await turns();
    // The joint's own flush, and nothing else.
    expect(memory.waiting.map(({ op }) => op)).toEqual([Op.flush]);
    memory.finish();
    const layer = await inserting;
    expect(layer.submitCount).toBe(3);
    expect(memory.waiting).toEqual(later);
    memory.finishAll();
    expect(later.every(({ isUpToDate }) => isUpToDate)).toBe(true);
    expect(later[0]!.data[0]).toBe(7);
    expect(joint.describe().driver).toBe("pass");
    expect(joint.lowers).toEqual([layer]);
  });

  test("gives back and closes what was taken out, and stands where it stood before", async () => {
    const memory = new MemoryLayer(SIZE);
    const joint = await openJoint(memory);
    const layer = await insert(joint, (lower) => new PassLayer(lower));
    expect(memory.claims).toMatchObject({ openCount: 1, count: 1 });
    await takeOut(joint);
    expect(layer.isOpen).toBe(false);
    expect(joint.below).toBe(memory);
    expect(memory.claims).toMatchObject({ openCount: 1, count: 1 });
  });

  test("lets no other writer in between, at any moment of an exchange", async () => {
    const memory = new MemoryLayer(SIZE);
    const joint = await openJoint(memory);
    const stranger = { name: "stranger" };
    const attempt = (): void => {
      expect(() => memory.claims.acquire(stranger, "write", "memory")).toThrow(/being written/);
    };
    memory.failure = () => {
      attempt();
      return null;
    };
    await insert(joint, (lower) => new PassLayer(lower));
    attempt();
    await takeOut(joint);
    attempt();
  });

  test.for(["a time", "a signal"])("gives up waiting after %s, and all goes on as before", async (what) => {
    const memory = new MemoryLayer(SIZE);
    const joint = await openJoint(memory);
    memory.isManual = true;
    const first = newRequest(Op.write);
    joint.submit(first);
    const controller = new AbortController();
    let hasRun = false;
    const quiet = joint.quiesce(
      () => {
        hasRun = true;
        return Promise.resolve();
      },
      what === "a time" ? { timeoutMs: 5 } : { signal: controller.signal },
    );
    const held = newRequest(Op.read);
    joint.submit(held);
    controller.abort();
    await expect(quiet).rejects.toMatchObject({
      code: what === "a time" ? "CEV_TIMED_OUT" : "CEV_CANCELLED",
    });
    expect(hasRun).toBe(false);
    expect(memory.waiting).toEqual([first, held]);
    memory.finishAll();
    expect(held.isUpToDate).toBe(true);
  });

  test("ends a request that is cancelled while it is kept back, and never passes it on", async () => {
    const memory = new MemoryLayer(SIZE);
    const joint = await openJoint(memory);
    const held = newRequest(Op.write);
    const cancelledBefore = newRequest(Op.write);
    cancelledBefore.cancel();
    await joint.quiesce(async () => {
      joint.submit(held);
      joint.submit(cancelledBefore);
      await turns();
      held.cancel();
      expect(held.error?.code).toBe("CEV_CANCELLED");
    });
    expect(cancelledBefore.error?.code).toBe("CEV_CANCELLED");
    expect(memory.seen.map(({ op }) => op)).toEqual([Op.flush]);
  });

  test("changes one thing at a time", async () => {
    const joint = await openJoint(new MemoryLayer(SIZE));
    await joint.quiesce(async () => {
      await expect(joint.quiesce(() => Promise.resolve())).rejects.toMatchObject({ code: "CEV_BUSY" });
    });
  });

  test("tells what it waits for", async () => {
    const memory = new MemoryLayer(SIZE);
    const joint = await openJoint(memory);
    memory.isManual = true;
    for (const io of [newRequest(Op.write), newRequest(Op.write, 4096)]) joint.submit(io);
    const steps: string[] = [];
    const onStep = (step: string, inFlight: number): void => void steps.push(`${step} ${inFlight}`);
    const quiet = joint.quiesce(() => Promise.resolve(), { onStep });
    await turns();
    memory.finishAll();
    await turns();
    memory.finishAll();
    await quiet;
    expect(steps).toEqual(["draining 2", "draining 1", "flushing 0", "changing 0"]);
  });

  test("keeps requests back for as long as it stands on nothing, and lets them go on over what comes later", async () => {
    const memory = new MemoryLayer(SIZE);
    const joint = await openJoint(memory);
    const layer = await insert(joint, (lower) => new PassLayer(lower));
    const under = new JointLayer(memory, { environment, claimant: joint.claimant });
    await openTree(under);
    const failing = joint.quiesce(async (swap) => {
      await swap.leave();
      expect(layer.isOpen).toBe(false);
      throw new Error("nothing came");
    });
    await expect(failing).rejects.toThrow("nothing came");
    expect(joint).toMatchObject({ isAway: true, isQuiet: true });
    const io = newRequest(Op.write);
    joint.submit(io);
    expect(memory.seen).not.toContain(io);
    const other = new PassLayer(under);
    await joint.quiesce((swap) => swap.over(other));
    await closeTree(under);
    expect(io.isUpToDate).toBe(true);
    expect(other.submitCount).toBe(1);
    expect(joint.isAway).toBe(false);
    await closeTree(joint);
    expect(memory.claims).toMatchObject({ openCount: 0, count: 0 });
  });

  test("fails what it keeps back where nothing is to come any more", async () => {
    const joint = await openJoint(new MemoryLayer(SIZE));
    await joint.quiesce((swap) => swap.leave());
    const held = newRequest(Op.write);
    joint.submit(held);
    joint.giveUp();
    const later = newRequest(Op.read);
    joint.submit(later);
    expect([held.error?.code, later.error?.code]).toEqual(["CEV_DEVICE_LOST", "CEV_DEVICE_LOST"]);
    await closeTree(joint);
    expect(joint.claims).toMatchObject({ openCount: 0, count: 0 });
  });

  test("is closed only when the exchange under way is over, and leaves nothing open", async () => {
    const memory = new MemoryLayer(SIZE);
    const joint = await openJoint(memory);
    memory.isManual = true;
    const inserting = insert(joint, (lower) => new PassLayer(lower));
    const closing = closeTree(joint);
    await turns();
    memory.isManual = false;
    memory.finishAll();
    const layer = await inserting;
    await closing;
    expect(layer.isOpen).toBe(false);
    for (const one of [memory, joint, layer]) expect(one.claims).toMatchObject({ openCount: 0, count: 0 });
  });

  test("lets the others go on where the submit of a layer throws", async () => {
    const memory = new MemoryLayer(SIZE);
    const joint = await openJoint(memory);
    const [first, second] = [newRequest(Op.read), newRequest(Op.read, 4096)];
    await joint.quiesce(async () => {
      for (const io of [first, second]) joint.submit(io);
      const submit = memory.submit.bind(memory);
      memory.submit = (io) => {
        if (io === first) throw new Error("against the contract");
        submit(io);
      };
    });
    expect(first.error?.code).toBe("CEV_PROGRAM");
    expect(second.isUpToDate).toBe(true);
    expect(joint.counts.inFlight).toBe(0);
  });

  test("exchanges nothing when its flush fails, and tells the next flush from above, once", async () => {
    const memory = new MemoryLayer(SIZE);
    const joint = await openJoint(memory);
    const failure = new Error("the disk is full") as never;
    let isFailing = true;
    memory.failure = (io) => (io.op === Op.flush && isFailing ? failure : null);
    await expect(insert(joint, (lower) => new PassLayer(lower))).rejects.toBe(failure);
    isFailing = false;
    expect(joint.below).toBe(memory);
    const [write, flush, again] = [newRequest(Op.write), newRequest(Op.flush), newRequest(Op.flush)];
    for (const io of [write, flush, again]) joint.submit(io);
    expect([write.error, flush.error, again.error]).toEqual([null, failure, null]);
  });

  test("stands as before where the new layer cannot be opened", async () => {
    const memory = new MemoryLayer(SIZE);
    const joint = await openJoint(memory);
    const failing = insert(joint, (lower) => {
      const layer = new PassLayer(lower);
      layer.openError = new Error("not today");
      return layer;
    });
    await expect(failing).rejects.toThrow("not today");
    expect(joint.below).toBe(memory);
    expect(memory.claims).toMatchObject({ openCount: 1, count: 1 });
    const io = newRequest(Op.write);
    joint.submit(io);
    expect(io.isUpToDate).toBe(true);
  });

  test("knows nothing of extents while what stands below is exchanged", async () => {
    class HoleLayer extends MemoryLayer {
      runs(_offset: number, length: number): readonly Run[] {
        return [{ length, content: "hole", lower: null, lowerOffset: 0 }];
      }
    }
    const joint = await openJoint(new HoleLayer(SIZE));
    const isHole = async (): Promise<boolean> => (await extentsOf(joint, 0, SIZE))[0]!.isHole;
    expect(await isHole()).toBe(true);
    await joint.quiesce(async () => {
      expect(await isHole()).toBe(false);
    });
    expect(await isHole()).toBe(true);
  });

  test("shows those who watch every request on its way down and up", async () => {
    const joint = await openJoint(new MemoryLayer(SIZE));
    const seen: string[] = [];
    joint.watcher = {
      down: (io) => seen.push(`down ${io.op}`),
      up: (io) => seen.push(`up ${io.op}`),
    };
    joint.submit(newRequest(Op.write));
    joint.watcher = null;
    joint.submit(newRequest(Op.read));
    expect(seen).toEqual(["down 1", "up 1"]);
  });
});
