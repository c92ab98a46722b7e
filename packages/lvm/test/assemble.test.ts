import { describe, expect, test } from "vitest";
import { A, B, C, base, codes, names, pv } from "./support/base-group.ts";
import { groupText, linear, makePv, uuidOf } from "./support/group-image.ts";
import { ImageLayer } from "./support/image-layer.ts";
import { openGroup, readAll } from "./support/open.ts";

describe("copies of the metadata", () => {
  test("the newest counts, wherever it lies, and those out of date are named", async () => {
    const old = groupText({ ...base, seqno: 3, volumes: {} });
    const newest = groupText({ ...base, seqno: 4 });
    const layers = [
      makePv({ name: "d0", uuid: A, texts: [{ text: old }, { text: old }] }),
      makePv({ name: "d1", uuid: B, texts: [{ text: old }, { text: newest, offset: 8000 }] }),
    ];
    const opened = await openGroup(layers);
    expect(names(opened)).toEqual(["vg0/left", "vg0/right", "vg0/both"]);
    expect(opened.problems.map(({ code, device }) => [code, device])).toEqual([
      ["CEV_BAD_METADATA", "d0"],
      ["CEV_BAD_METADATA", "d0"],
      ["CEV_BAD_METADATA", "d1"],
    ]);
    expect(opened.problems[0]!.message).toMatch(/number 3, the newest is 4/);
  });

  test("areas that are not in use are not looked at", async () => {
    const newer = { text: groupText({ ...base, seqno: 9, volumes: {} }), flags: 1 };
    const opened = await openGroup([
      makePv({ name: "d0", uuid: A, texts: [newer, { text: groupText(base) }] }),
      pv("d1", B, null),
    ]);
    expect(names(opened)).toHaveLength(3);
    expect(opened.problems).toEqual([]);
  });

  test("those of one number may differ in who wrote them, and in nothing else", async () => {
    const text = groupText(base);
    const later = text.replace("creation_time = 1", "creation_time = 2");
    expect(codes(await openGroup([pv("d0", A, text), pv("d1", B, later)]))).toEqual([]);
    const other = groupText({ ...base, volumes: {} });
    await expect(openGroup([pv("d0", A, text), pv("d1", B, other)])).rejects.toMatchObject({
      code: "CEV_AMBIGUOUS",
      message: expect.stringMatching(/d0.*d1/) as unknown,
    });
  });

  test("a newest one that does not hold together is an error; an older one is not taken for it", async () => {
    const broken = groupText({ ...base, seqno: 2 }).replace('stripes = ["pv0", 10]', 'stripes = ["pv0", 3]');
    await expect(openGroup([pv("d0", A, groupText(base)), pv("d1", B, broken)])).rejects.toMatchObject({
      code: "CEV_BAD_METADATA",
      message: expect.stringMatching(/^line \d+, column 10: extent 3 of "pv0"/) as unknown,
      place: { source: "d1", structure: "LVM2 metadata area 0", field: "text" },
    });
  });

  test("a label in any of the first four sectors is found", async () => {
    for (const labelSector of [0, 1, 2, 3]) {
      const text = groupText({ ...base, pvs: [A], volumes: { left: linear(uuidOf("l"), [[4, "pv0", 0]]) } });
      expect(
        names(await openGroup([makePv({ name: "d0", uuid: A, labelSector, texts: [{ text }] })])),
      ).toEqual(["vg0/left"]);
    }
  });
});

describe("physical volumes", () => {
  const text = groupText(base);

  test("one without metadata areas is found by its UUID", async () => {
    const layers = [pv("d0", A, text), pv("d1", B, null)];
    const opened = await openGroup(layers);
    expect(opened.problems).toEqual([]);
    const right = opened.devices.find(({ name }) => name === "vg0/right")!;
    expect(await readAll(right.layer)).toEqual(layers[1]!.bytes.slice(65_536, 65_536 + 4 * 4096));
  });

  test("where one is missing, what lies on the others opens and what does not is named", async () => {
    const opened = await openGroup([pv("d0", A, text)]);
    expect(names(opened)).toEqual(["vg0/left"]);
    expect(opened.problems).toEqual([
      expect.objectContaining({ severity: "warning", code: "CEV_DEGRADED" }),
      expect.objectContaining({ severity: "error", code: "CEV_DEGRADED", device: "vg0/right" }),
      expect.objectContaining({ severity: "error", code: "CEV_DEGRADED", device: "vg0/both" }),
    ]);
    for (const { message } of opened.problems) expect(message).toContain(B);
    expect(opened.devices[0]!.details).toMatchObject({
      group: {
        physicalVolumes: [
          { device: "d0", state: "present" },
          { device: null, state: "missing" },
        ],
      },
    });
  });

  test("one that was missing when the group was last changed stays missing when it is back", async () => {
    const marked = groupText({ ...base, pvMore: ["flags = []", 'flags = ["MISSING"]'] });
    const opened = await openGroup([pv("d0", A, marked), pv("d1", B, null)]);
    expect(names(opened)).toEqual(["vg0/left"]);
    expect(opened.problems[0]).toMatchObject({ code: "CEV_DEGRADED", device: "d1" });
  });

  test("one that the newest description does not list is named and not used", async () => {
    const before = groupText({ ...base, pvs: [A, B, C], seqno: 0 });
    const layers = [pv("d0", A, text), pv("d1", B, text), pv("d2", C, before)];
    const opened = await openGroup(layers);
    expect(names(opened)).toHaveLength(3);
    expect(opened.problems.map(({ code, device }) => [code, device])).toEqual([
      ["CEV_BAD_METADATA", "d2"],
      ["CEV_NOT_FOUND", "d2"],
    ]);
  });

  test("one that two groups list is refused", async () => {
    const other = groupText({ name: "vg1", uuid: uuidOf("h"), pvs: [A, C], volumes: {} });
    await expect(openGroup([pv("d0", A, text), pv("d1", B, text), pv("d2", C, other)])).rejects.toMatchObject(
      {
        code: "CEV_AMBIGUOUS",
        message: expect.stringMatching(/d0 belongs to several groups/) as unknown,
      },
    );
  });

  test("one shorter than its group knows it leaves the volumes beyond its end out", async () => {
    const far = groupText({
      ...base,
      volumes: { ...base.volumes, far: linear(uuidOf("f"), [[1, "pv0", 200]]) },
    });
    const whole = pv("d0", A, far);
    const short = new ImageLayer("d0", whole.bytes.slice(0, 512 * 1024));
    const opened = await openGroup([short, pv("d1", B, far)]);
    expect(names(opened)).toEqual(["vg0/left", "vg0/right", "vg0/both"]);
    expect(opened.problems).toMatchObject([
      { severity: "warning", code: "CEV_BAD_METADATA", device: "d0" },
      { severity: "error", code: "CEV_BAD_METADATA", device: "vg0/far" },
    ]);
  });

  test("a damaged label leaves one out, and is an error where it is the only one", async () => {
    const layers = [pv("d0", A, text), pv("d1", B, text)];
    layers[1]!.bytes[600]! ^= 1;
    const opened = await openGroup(layers);
    expect(names(opened)).toEqual(["vg0/left"]);
    expect(opened.problems).toContainEqual(
      expect.objectContaining({ severity: "error", code: "CEV_BAD_METADATA", device: "d1" }),
    );
    await expect(openGroup([layers[1]!])).rejects.toMatchObject({ code: "CEV_BAD_METADATA" });
  });

  test("one of no group gives no devices, and says so", async () => {
    const opened = await openGroup([makePv({ name: "d0", uuid: A, texts: [null] })]);
    expect(opened.devices).toEqual([]);
    expect(opened.problems).toMatchObject([{ code: "CEV_NOT_FOUND", device: "d0" }]);
  });
});

describe("a group that cannot be accepted is left out, and the others open:", () => {
  const fine = makePv({
    name: "other",
    uuid: uuidOf("o"),
    texts: [
      {
        text: groupText({
          name: "vg1",
          uuid: uuidOf("h"),
          pvs: [uuidOf("o")],
          volumes: { fine: linear(uuidOf("f"), [[4, "pv0", 0]]) },
        }),
      },
    ],
  });
  const text = groupText(base);
  const broken = text.replace('stripes = ["pv0", 10]', 'stripes = ["pv0", 3]');
  const foreign = groupText({ name: "vg2", uuid: uuidOf("i"), pvs: [A, C], volumes: {} });
  const damaged = pv("d0", A, text);
  damaged.bytes[4700]! ^= 1;

  test.each([
    [
      "clones in one folder",
      [pv("d0", A, text), pv("d1", B, text), pv("d2", A, text)],
      "CEV_AMBIGUOUS",
      "d2",
    ],
    ["one that does not hold together", [pv("d0", A, broken), pv("d1", B, broken)], "CEV_BAD_METADATA", "d0"],
    [
      "newest copies that contradict each other",
      [pv("d0", A, text), pv("d1", B, groupText({ ...base, volumes: {} }))],
      "CEV_AMBIGUOUS",
      "d1",
    ],
    [
      "two that claim one device",
      [pv("d0", A, text), pv("d1", B, text), pv("d2", C, foreign)],
      "CEV_AMBIGUOUS",
      "d0",
    ],
    ["one whose only area is damaged", [damaged], "CEV_BAD_METADATA", "d0"],
  ])("%s", async (_, layers, code, device) => {
    const opened = await openGroup([...layers, fine]);
    expect(names(opened)).toEqual(["vg1/fine"]);
    expect(opened.problems).toEqual([expect.objectContaining({ severity: "error", code, device })]);
    expect(names(await openGroup([...layers, fine], { group: "vg1" }))).toEqual(["vg1/fine"]);
    await expect(openGroup([...layers, fine], { group: "vg0" })).rejects.toMatchObject({ code });
    await expect(openGroup(layers)).rejects.toMatchObject({ code });
  });
});
