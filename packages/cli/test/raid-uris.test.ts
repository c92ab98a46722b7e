import { randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { placeOf, wholeWord } from "../src/place.ts";
import { run } from "./in-process.ts";
import { serveDisk, serveDisks, uriOf } from "./nbd-disks.ts";

describe("an array over several NBD servers", () => {
  test("is created, fails, is given a new member and its old one again, and no byte is another", async () => {
    const { cwd, uris } = await serveDisks(4);
    const [s0 = "", s1 = "", s2 = "", s3 = ""] = uris;
    const members = [s0, s1, s2];
    const made = await run(
      ["raid", "create", "data", "--level", "5", "--assume-clean", "--bitmap", "internal", ...members],
      {
        cwd,
      },
    );
    expect(made).toMatchObject({ status: 0, stderr: "" });
    const content = randomBytes(1_500_000);
    writeFileSync(join(cwd, "content"), content);
    await run(["copy", ...members, "--device", "md/data", "--from", "content"], { cwd });

    const failed = await run(["raid", "fail", ...members, "--device", s1], { cwd });
    expect(failed.stdout.toString()).toBe(
      "s1 has been failed\nmd/data: clean, degraded, 2 of 3 devices active\n",
    );
    content.fill(7, 0, 100_000);
    writeFileSync(join(cwd, "content"), content);
    await run(["copy", s0, s2, "--device", "md/data", "--from", "content", "--degraded"], { cwd });
    const back = await run(["raid", "add", ...members, "--device", s1], { cwd });
    expect(back.status).toBe(0);
    expect(back.stdout.toString()).toBe(
      "s1 has been re-added: only what it missed is copied\nmd/data: clean, 3 of 3 devices active\n",
    );

    await run(["raid", "fail", ...members, "--device", "s0"], { cwd });
    const added = await run(["raid", "add", s1, s2, "--device", s3], { cwd });
    expect(added.stdout.toString()).toBe("s3 has been added\nmd/data: clean, 3 of 3 devices active\n");
    await run(["copy", s1, s3, "--device", "md/data", "--to", "out"], { cwd });
    expect(readFileSync(join(cwd, "out")).subarray(0, content.length).equals(content)).toBe(true);
  });

  test("takes no member twice, and none that takes part already", async () => {
    const { cwd, uris } = await serveDisks(2);
    const create = ["raid", "create", "data", "--level", "1"];
    const other = `nbd+unix:///?socket=${join(cwd, "s0")}`;
    const twice = await run([...create, uris[0]!, other], { cwd });
    expect(twice.stderr).toMatch(/is named twice/);
    expect(twice.status).toBe(2);
    expect(await run([...create, ...uris], { cwd })).toMatchObject({ status: 0 });
    const added = await run(["raid", "add", ...uris, "--device", other], { cwd });
    expect(added.stderr).toMatch(/^cev: s0: it is part of the array already/);
  });
});

describe("a volume group over several NBD servers", () => {
  test("is made, extended by a device that is named by its URI, and read again", async () => {
    const { cwd, uris } = await serveDisks(3);
    const [s0 = "", s1 = "", s2 = ""] = uris;
    const made = await run(["lvm", "vgcreate", "-s", "1M", "vg0", s0, s1], { cwd });
    expect(made).toMatchObject({ status: 0, stderr: "" });
    const extended = await run(
      ["lvm", "vgextend", "vg0", s2, "--devices", s0, "--devices", s1, "--devices", s2],
      { cwd },
    );
    expect(extended).toMatchObject({ status: 0, stderr: "" });
    const grown = await run(["lvm", "lvcreate", "-L", "2M", "-n", "root", "vg0", ...uris], { cwd });
    expect(grown).toMatchObject({ status: 0, stderr: "" });
    const shown = await run(["lvm", "pvs", "--noheadings", "-o", "pv_name", ...uris], { cwd });
    expect(
      shown.stdout
        .toString()
        .split(/\s+/)
        .filter((word) => word !== ""),
    ).toEqual(["s0", "s1", "s2"]);
  });
});

describe("an encrypted device behind an NBD server", () => {
  test("is formatted by its URI, and opened", async () => {
    const { cwd } = await serveDisks(0);
    await serveDisk(cwd, "s0", 20 << 20);
    writeFileSync(join(cwd, "key"), "a passphrase");
    const key = ["--key-file", "key", "--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000"];
    const made = await run(["crypt", "luksFormat", "--batch-mode", uriOf("s0"), ...key], { cwd });
    expect(made).toMatchObject({ status: 0, stderr: "" });
    const looked = await run(["inspect", uriOf("s0"), "--key-file", "key"], { cwd });
    expect(looked.stdout.toString()).toMatch(/luks\//);
    expect(looked.status).toBe(0);
  });
});

describe("a word that names a device", () => {
  test("is the same place whoever is named in it, and says the same in every folder", () => {
    const plain = `nbds+unix:///a?socket=${join(process.cwd(), "s")}`;
    const word = "nbds+unix://alice@/a?tls-psk-file=keys&socket=s";
    expect(placeOf(word)).toBe(plain);
    const keys = join(process.cwd(), "keys");
    expect(wholeWord(word)).toBe(`${plain.replace(":///", "://alice@/")}&tls-psk-file=${keys}`);
    expect(placeOf("d0.img")).toBe(join(process.cwd(), "d0.img"));
  });
});
