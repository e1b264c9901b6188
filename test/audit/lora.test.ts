import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { Matrix, SingularValueDecomposition } from "ml-matrix";
import { afterAll, describe, expect, it } from "vitest";
import { frobeniusOfProduct } from "../../src/audit/low-rank-form.js";
import type { AuditFlags } from "../../src/cli/audit-options.js";
import { floats, type SafetensorsPart, safetensors, text } from "../files/models.js";
import { encode, npy, zip } from "../files/writers.js";
import { answers, auditOf } from "./models.js";

const folder = mkdtempSync(join(tmpdir(), "lora-"));
afterAll(() => rmSync(folder, { recursive: true }));

function put(name: string, content: Uint8Array): string {
  const path = join(folder, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
  return path;
}

type Rows = number[][];

let state = 1;
/** Numbers that float16 and bfloat16 hold exactly. */
const random = (rows: number, cols: number): Rows =>
  Array.from({ length: rows }, () =>
    Array.from({ length: cols }, () => {
      state = (state * 48271) % 2147483647;
      return ((state % 255) - 127) / 64;
    }),
  );

const part = (name: string, rows: Rows, shape?: number[], dtype: "F64" | "F32" | "F16" | "BF16" = "F32") =>
  ({
    ...{ name, dtype, shape: shape ?? [rows.length, rows[0].length] },
    data: floats(dtype, rows.flat()),
  }) satisfies SafetensorsPart;
const alphaPart = (name: string, value: number): SafetensorsPart => ({
  ...{ name, dtype: "F32", shape: [], data: floats("F32", [value]) },
});

/** s·B·A, and W added to it, by plain loops. */
function product(B: Rows, A: Rows, s: number, W?: Rows): Rows {
  return B.map((row, i) =>
    A[0].map((_, j) => row.reduce((sum, b, k) => sum + s * b * A[k][j], W ? W[i][j] : 0)),
  );
}

const transposed = (rows: Rows): Rows => rows[0].map((_, j) => rows.map((row) => row[j]));

/** What a line must say of a matrix, by a dense SVD of it. */
function expected(rows: Rows) {
  const values = new SingularValueDecomposition(new Matrix(rows), { autoTranspose: true }).diagonal;
  const sigma = Math.max(...values);
  const frobenius = Math.sqrt(rows.flat().reduce((sum, x) => sum + x * x, 0));
  const near = (x: number) => expect.closeTo(x, 9);
  return {
    ...{ rows: rows.length, cols: rows[0].length, converged: true },
    ...{ sigma: near(sigma), frobenius: near(frobenius), stableRank: near((frobenius / sigma) ** 2) },
  };
}

/** A folder with an adapter as PEFT writes it. */
function peft(name: string, config: object | undefined, parts: readonly SafetensorsPart[]): string {
  if (config) put(`${name}/adapter_config.json`, text({ peft_type: "LORA", ...config }));
  return put(`${name}/adapter_model.safetensors`, safetensors(parts, { format: "pt" }));
}

const [B, A] = [random(12, 3), random(3, 20)];
const layer = "base_model.model.model.layers.0.self_attn.q_proj";
const pair = (
  module: string,
  left: Rows,
  right: Rows,
  adapter = "",
  dtype: "F32" | "F16" | "BF16" = "F32",
) => [
  part(`${module}.lora_A${adapter}.weight`, right, undefined, dtype),
  part(`${module}.lora_B${adapter}.weight`, left, undefined, dtype),
];
const plainConfig = { r: 3, lora_alpha: 6 };

/** The one line of a file. */
async function one(file: string, flags: AuditFlags = {}) {
  const { lines, stderr, status } = await answers([file], flags);
  if (lines.length !== 1) throw new Error(`${lines.length} lines, ${stderr}`);
  return { ...lines[0], status, stderr };
}

describe("audit of adapters as PEFT writes them", () => {
  it("has one line for each pair, of s·B·A", async () => {
    for (const dtype of ["F32", "F16", "BF16"] as const)
      for (const adapter of ["", ".default"]) {
        const file = peft(`plain-${dtype}${adapter}`, plainConfig, pair(layer, B, A, adapter, dtype));
        expect(await one(file)).toMatchObject({
          ...{ tensor: layer, shape: [12, 20], dtype: "float64", rank: 3, scale: 2, status: 0, stderr: "" },
          ...expected(product(B, A, 2)),
        });
      }
  });

  it("takes rank, α and the kind of scale from the configuration", async () => {
    const config = {
      ...{ r: 8, lora_alpha: 16, use_rslora: true },
      rank_pattern: { "layers.0.self_attn.q_proj": 3, q_proj: 5, "^model.layers.1.mlp": 2 },
      alpha_pattern: { "model\\.layers\\.1\\.mlp": 7, q_proj: 12 },
    };
    const mlp = "base_model.model.model.layers.1.mlp";
    const other = "base_model.model.model.layers.1.v_proj";
    const [b2, a2, b8, a8] = [random(4, 2), random(2, 5), random(9, 8), random(8, 9)];
    const parts = [...pair(layer, B, A), ...pair(mlp, b2, a2), ...pair(other, b8, a8)];
    const { lines, stderr } = await answers([peft("patterns", config, parts)]);
    expect(stderr).toBe("");
    expect(lines.map(({ tensor, rank, scale }) => [tensor, rank, scale])).toEqual([
      [layer, 3, 12 / Math.sqrt(3)],
      [mlp, 2, 7 / Math.sqrt(2)],
      [other, 8, 16 / Math.sqrt(8)],
    ]);
    expect(lines[0]).toMatchObject(expected(product(B, A, 12 / Math.sqrt(3))));
  });

  it("reads pairs of convolutions and of embeddings, and several adapters", async () => {
    const [b, a] = [random(4, 2), random(2, 27)];
    const conv = "base_model.model.conv";
    const table = "base_model.model.embed_tokens";
    const [left, right] = [random(6, 2), random(2, 30)];
    const parts = [
      part(`${conv}.lora_A.weight`, a, [2, 3, 3, 3]),
      part(`${conv}.lora_B.weight`, b, [4, 2, 1, 1]),
      part(`${table}.lora_embedding_A`, right),
      part(`${table}.lora_embedding_B`, left),
    ];
    const file = peft("kinds", { r: 2, lora_alpha: 1 }, parts);
    const found = await answers([file], { embeddings: true });
    expect(found.lines[0]).toMatchObject({
      tensor: conv,
      shape: [4, 3, 3, 3],
      ...expected(product(b, a, 0.5)),
    });
    expect(found.lines[1]).toMatchObject({ tensor: table, ...expected(product(left, right, 0.5)) });
    const without = await answers([file]);
    expect([without.lines.length, without.stderr]).toEqual([
      1,
      `spectral-norm: ${file}: 1 tensor left out: an embedding table, whose rows are looked up\n`,
    ]);
    const several = [...pair(layer, B, A, ".first"), ...pair(layer, B, random(3, 20), ".second")];
    const { lines } = await answers([peft("several", plainConfig, several)]);
    expect(lines.map(({ tensor }) => tensor)).toEqual([`${layer} (first)`, `${layer} (second)`]);
  });

  it("leaves out, by reason, what has no known scale or is more than a product", async () => {
    const magnitude = part(`${layer}.lora_magnitude_vector.weight`, [[1, 2]], [2]);
    const E = part(`${layer}.lora_E`, [[1], [2], [3]]);
    const cases: readonly (readonly [string, object | undefined, SafetensorsPart[], RegExp])[] = [
      ["bare", undefined, [], /scale that is not known: there is no adapter_config\.json/],
      ["dora", plainConfig, [magnitude], /DoRA/],
      ["use-dora", { ...plainConfig, use_dora: true }, [], /DoRA/],
      ["type", { ...plainConfig, peft_type: "LOHA" }, [], /of the type "LOHA"/],
      ["adalora", plainConfig, [E], /AdaLoRA/],
      ["rank", { r: 4, lora_alpha: 6 }, [], /has the rank 3, and adapter_config\.json says 4/],
      ["no-alpha", { r: 3 }, [], /does not say lora_alpha/],
      ["no-rank", { r: "3", lora_alpha: 3 }, [], /does not say r/],
      [
        "regular",
        { ...plainConfig, rank_pattern: { "layers.[0-9]+": 3 } },
        [],
        /pattern "layers\.\[0-9\]\+"/,
      ],
      ["list", { ...plainConfig, alpha_pattern: [1] }, [], /alpha_pattern in .* is no object/],
    ];
    for (const [name, config, more, message] of cases) {
      const file = peft(`left-${name}`, config, [...pair(layer, B, A), ...more, part("norm", [[3, 4]])]);
      const { status, lines, stderr } = await answers([file]);
      expect([status, lines.map(({ tensor }) => tensor)], name).toEqual([0, ["norm"]]);
      expect(stderr).toMatch(/^[^\n]*: 1 tensor left out: [^\n]*\n$/);
      expect(stderr).toMatch(message);
    }
    const torn = peft("torn", {}, pair(layer, B, A));
    put("torn/adapter_config.json", text('{"r": 3'));
    expect((await answers([torn])).stderr).toMatch(/has an adapter_config\.json that is not JSON/);
    const listed = await answers([torn], { leftOut: true });
    expect(listed.lines[0]).toMatchObject({ tensor: layer, leftOut: expect.stringMatching(/JSON/) });
  });

  it("names a pair that is not whole or does not fit", async () => {
    const cases: readonly (readonly [SafetensorsPart[], RegExp])[] = [
      [pair(layer, B, A).slice(0, 1), /has lora_A and no lora_B/],
      [pair(layer, B, A).slice(1), /has lora_B and no lora_A/],
      [pair(layer, random(12, 4), A), /B is 12×4 and A 3×20; B needs as many columns as A rows/],
      [
        [part(`${layer}.lora_A.weight`, A, [60]), pair(layer, B, A)[1]],
        /cannot be multiplied: B is 12×3 and A 60/,
      ],
      [
        [pair(layer, B, A)[0], part(`${layer}.lora_B.weight`, B, [4, 3, 3, 1])],
        /more than one number in space/,
      ],
      [
        pair(layer, B, [
          [Number.NaN, 1],
          [1, 1],
          [1, 1],
        ]),
        /its right factor, .*lora_A\.weight: number 0 is NaN/,
      ],
      [[...pair(layer, B, A), part(`${layer}.lora_A`, A)], /another of the same/],
    ];
    for (const [k, [parts, message]] of cases.entries()) {
      const file = peft(`fault-${k}`, plainConfig, [...parts, part("norm", [[3, 4]])]);
      const { status, lines, stderr } = await answers([file]);
      expect([status, lines.map(({ tensor }) => tensor)], String(message)).toEqual([2, ["norm"]]);
      expect(stderr.startsWith(`spectral-norm: ${file}: "${layer}": `)).toBe(true);
      expect(stderr).toMatch(message);
    }
  });
});

describe("audit of adapters as kohya writes them", () => {
  const unet = "lora_unet_down_blocks_0_attentions_0_to_q";
  const kohya = (module: string, left: Rows, right: Rows, ...more: SafetensorsPart[]) => [
    ...more,
    part(`${module}.lora_down.weight`, right),
    part(`${module}.lora_up.weight`, left),
  ];

  const integer = (name: string, dtype: string, data: Uint8Array) => ({ name, dtype, shape: [], data });

  it("has one line for each pair; the scale is α/r, or 1 without α", async () => {
    const [b, a] = [random(4, 2), random(2, 27)];
    const file = put(
      "kohya.safetensors",
      safetensors([
        ...kohya(unet, B, A, alphaPart(`${unet}.alpha`, 1)),
        ...kohya("lora_unet_time_embedding_linear_1", B, A),
        part("lora_unet_conv.lora_down.weight", a, [2, 3, 3, 3], "F16"),
        part("lora_unet_conv.lora_up.weight", b, [4, 2, 1, 1], "F16"),
        { ...alphaPart("lora_unet_conv.alpha", 4), dtype: "F16", data: floats("F16", [4]), shape: [1] },
        part("unet.up.to_k_lora.down.weight", A),
        part("unet.up.to_k_lora.up.weight", B),
        ...pair("lora_unet_z", B, A),
        alphaPart("lora_unet_z.alpha", 6),
        ...kohya("lora_unet_i", B, A, integer("lora_unet_i.alpha", "I64", encode("<i8", [6n]))),
        ...kohya("lora_unet_j", B, A, integer("lora_unet_j.alpha", "I32", encode("<i4", [-6]))),
      ]),
    );
    const { status, stderr, lines } = await answers([file]);
    expect([status, stderr]).toEqual([0, ""]);
    expect(lines.map(({ tensor, rank, scale, shape }) => [tensor, rank, scale, shape])).toEqual([
      [unet, 3, 1 / 3, [12, 20]],
      ["lora_unet_time_embedding_linear_1", 3, 1, [12, 20]],
      ["lora_unet_conv", 2, 2, [4, 3, 3, 3]],
      ["unet.up.to_k", 3, 1, [12, 20]],
      ["lora_unet_z", 3, 2, [12, 20]],
      ["lora_unet_i", 3, 2, [12, 20]],
      ["lora_unet_j", 3, -2, [12, 20]],
    ]);
    expect(lines[0]).toMatchObject(expected(product(B, A, 1 / 3)));
    expect(lines[2]).toMatchObject(expected(product(b, a, 2)));
  });

  it("is refused where a factor's numbers lie in another order", async () => {
    const factor = (name: string, fortran: boolean, rows: Rows) => ({
      name: `x.${name}.weight.npy`,
      content: npy({
        ...{ descr: "<f8", shape: [rows.length, rows[0].length], fortran },
        data: floats("F64", (fortran ? transposed(rows) : rows).flat()),
      }),
    });
    const archive = (fortran: boolean) =>
      put("factors.npz", zip([factor("lora_down", fortran, A), factor("lora_up", false, B)]));
    expect(await one(archive(false))).toMatchObject(expected(product(B, A, 1)));
    expect((await answers([archive(true)])).stderr).toMatch(/Fortran's order/);
  });

  it("leaves out, by reason, what is more than a product, and names what is broken", async () => {
    const bad: readonly (readonly [SafetensorsPart[], RegExp])[] = [
      [[part(`${unet}.lora_mid.weight`, random(3, 27), [3, 3, 3, 3])], /left out: .*Tucker/],
      [[part(`${unet}.dora_scale`, random(12, 1))], /left out: .*DoRA/],
      [
        [{ name: `${unet}.alpha`, dtype: "U16", shape: [], data: encode("<u2", [4]) }],
        /left out: has an alpha that is not read: dtype "U16"/,
      ],
      [[part(`${unet}.alpha`, [[1, 2]])], /its alpha is 1×2/],
      [[alphaPart(`${unet}.alpha`, Number.NaN)], /its alpha is NaN/],
    ];
    for (const [k, [more, message]] of bad.entries()) {
      const parts = [...kohya(unet, B, A, ...more), ...kohya("lora_te_x", B, A)];
      const { lines, stderr } = await answers([put(`kohya-${k}.safetensors`, safetensors(parts))]);
      expect(lines.map(({ tensor }) => tensor)).toEqual(["lora_te_x"]);
      expect(stderr).toMatch(message);
    }
    const others = ["hada_w1_a", "lokr_w2", "oft_blocks"].map((name) => part(`lora_unet_y.${name}`, A));
    const { stderr } = await answers([put("lycoris.safetensors", safetensors([...others, part("w", A)]))]);
    for (const kind of ["LoHa", "LoKr", "OFT"])
      expect(stderr).toContain(`1 tensor left out: part of an update by ${kind}, which is not read`);
  });
});

describe("audit --base", () => {
  const W = random(12, 20);
  const line = expected(product(B, A, 2, W));
  const base = (name: string, ...parts: SafetensorsPart[]) => put(name, safetensors(parts));
  const adapter = peft("for-base", plainConfig, pair(layer, B, A));

  it("adds the update to the weight of its layer, whatever the model calls itself", async () => {
    const [first, second] = ["model.layers.0.self_attn.q_proj", "layers.0.self_attn.q_proj"];
    for (const name of [
      `${first}.weight`,
      `${second}.weight`,
      `x.${first}.weight`,
      `${first}.base_layer.weight`,
    ]) {
      const model = base(
        "named.safetensors",
        part(name, W),
        part("other.weight", W),
        part("q_proj.weight", W),
      );
      expect(await one(adapter, { base: model })).toMatchObject({
        ...{ tensor: layer, shape: [12, 20], rank: 3, scale: 2, base: name, status: 0, stderr: "" },
        ...line,
      });
    }
    for (const dtype of ["F16", "BF16", "F64"] as const)
      expect(
        await one(adapter, { base: base("typed.safetensors", part(`${first}.weight`, W, undefined, dtype)) }),
      ).toMatchObject(line);
  });

  it("reads the weight as the audit does, quantized too", async () => {
    const numbers = { name: "model.layers.0.self_attn.q_proj.weight", dtype: "I8", shape: [12, 20] };
    const codes = Int8Array.from({ length: 240 }, (_, k) => (k * 37) % 251);
    const scale = { name: `${numbers.name}_scale`, dtype: "F32", shape: [], data: floats("F32", [0.5]) };
    const quantized = Array.from({ length: 12 }, (_, i) =>
      Array.from(codes.subarray(20 * i, 20 * (i + 1)), (x) => x / 2),
    );
    const model = base("quantized.safetensors", { ...numbers, data: new Uint8Array(codes.buffer) }, scale);
    expect(await one(adapter, { base: model })).toMatchObject(expected(product(B, A, 2, quantized)));
  });

  it("reads weights that GPTQ has packed as [inputs, outputs]", async () => {
    const [b, a] = [random(8, 2), random(2, 8)];
    const file = peft("on-gptq", { r: 2, lora_alpha: 2 }, pair("base_model.model.l", b, a));
    const words = Int32Array.from({ length: 8 }, (_, k) => (0x12345678 * (k + 1)) | 0);
    const model = base(
      "gptq.safetensors",
      { name: "l.qweight", dtype: "I32", shape: [1, 8], data: new Uint8Array(words.buffer) },
      { name: "l.qzeros", dtype: "I32", shape: [1, 1], data: new Uint8Array(4).fill(0x77) },
      part("l.scales", [[1, 1, 1, 1, 1, 1, 1, 1]], undefined, "F16"),
    );
    // Input i of output j is nibble i of word j, less 8.
    const stored = Array.from({ length: 8 }, (_, i) =>
      Array.from(words, (word) => ((word >>> (4 * i)) & 15) - 8),
    );
    expect(await one(file, { base: model })).toMatchObject({
      base: "l.qweight",
      ...expected(product(b, a, 1, transposed(stored))),
    });
  });

  it("takes a weight that is stored as [inputs, outputs] for what it is", async () => {
    const name = "h.0.attn.c_attn";
    const gpt = (config: object, left: Rows, right: Rows) =>
      peft(
        `gpt-${state}`,
        { ...plainConfig, ...config },
        pair(`base_model.model.transformer.${name}`, left, right),
      );
    const wide = base("wide.safetensors", part(`${name}.weight`, transposed(W)));
    for (const fan_in_fan_out of [true, false]) {
      const found = await one(gpt({ fan_in_fan_out }, B, A), { base: wide });
      expect(found).toMatchObject({ ...line, rows: 20, cols: 12, shape: [20, 12], base: `${name}.weight` });
    }
    const [b, a, square] = [random(9, 3), random(3, 9), random(9, 9)];
    const model = base("square.safetensors", part(`${name}.weight`, square));
    expect(await one(gpt({ fan_in_fan_out: true }, b, a), { base: model })).toMatchObject(
      expected(transposed(product(b, a, 2, transposed(square)))),
    );
    expect(await one(gpt({ fan_in_fan_out: false }, b, a), { base: model })).toMatchObject(
      expected(product(b, a, 2, square)),
    );
    random(1, 1);
  });

  it("finds the layers of kohya's files by their names with underscores", async () => {
    const [b, a, kernel] = [random(4, 2), random(2, 27), random(4, 27)];
    const file = put(
      "for-unet.safetensors",
      safetensors([
        part("lora_unet_down_blocks_0_to_q.lora_down.weight", A),
        part("lora_unet_down_blocks_0_to_q.lora_up.weight", B),
        part("lora_unet_mid_conv.lora_down.weight", a, [2, 3, 3, 3]),
        part("lora_unet_mid_conv.lora_up.weight", b, [4, 2, 1, 1]),
        part("lora_unet_proj_in.lora_down.weight", A),
        part("lora_unet_proj_in.lora_up.weight", B),
        part("lora_te1_text_model_fc1.lora_down.weight", A),
        part("lora_te1_text_model_fc1.lora_up.weight", B),
      ]),
    );
    const model = base(
      "unet.safetensors",
      part("down_blocks.0.to_q.weight", W),
      part("mid.conv.weight", kernel, [4, 3, 3, 3]),
      part("proj_in.weight", W, [12, 20, 1, 1]),
      part("vae.proj_in.weight", W),
      part("cond_stage_model.transformer.text_model.fc1.weight", W),
    );
    const { stderr, lines } = await answers([file], { base: model });
    expect(stderr).toBe("");
    expect(lines[0]).toMatchObject({ base: "down_blocks.0.to_q.weight", ...expected(product(B, A, 1, W)) });
    expect(lines[1]).toMatchObject({ shape: [4, 3, 3, 3], ...expected(product(b, a, 1, kernel)) });
    expect(lines[2]).toMatchObject({ base: "proj_in.weight", ...expected(product(B, A, 1, W)) });
    expect(lines[3]).toMatchObject({ base: "cond_stage_model.transformer.text_model.fc1.weight" });
  });

  it("names the pairs whose weight is missing, not clear, or does not fit", async () => {
    const name = "model.layers.0.self_attn.q_proj.weight";
    const cases: readonly (readonly [SafetensorsPart[], RegExp])[] = [
      [[part("other.weight", W)], /has no weight in /],
      [
        [part("layers.0.self_attn.q_proj.weight", W), part(`x.${name}`, W)],
        /may belong to "x\.model.*" or "layers\.0/,
      ],
      [[part(name, random(12, 19))], /its weight is 12×19 in .*, and the update 12×20/],
      [[{ ...part(name, W), dtype: "I32" }], /its weight ".*" in .* dtype "I32"/],
      [
        [
          part(
            name,
            W.map((row) => row.map(() => Number.NaN)),
          ),
        ],
        /row 0, column 0 of 12×20 is NaN/,
      ],
    ];
    for (const [parts, message] of cases) {
      const { status, lines, stderr } = await answers([adapter], { base: base("bad.safetensors", ...parts) });
      expect([status, lines]).toEqual([2, []]);
      expect(stderr).toMatch(message);
      expect(stderr).toContain(`"${layer}"`);
    }
    const twice = put(
      "twice.safetensors",
      safetensors([part("lora_unet_a_b.lora_down.weight", A), part("lora_unet_a_b.lora_up.weight", B)]),
    );
    const ambiguous = base("ambiguous.safetensors", part("a.b.weight", W), part("a_b.weight", W));
    expect((await answers([twice], { base: ambiguous })).stderr).toMatch(
      /may belong to "a\.b\.weight" or "a_b\.weight"/,
    );
    const pissa = peft("pissa", { ...plainConfig, init_lora_weights: "pissa" }, pair(layer, B, A));
    expect((await one(pissa)).sigma).toBeGreaterThan(0);
    expect((await answers([pissa], { base: base("good.safetensors", part(name, W)) })).stderr).toMatch(
      /changed weights of the base model \(init_lora_weights "pissa"\)/,
    );
    await expect(auditOf([ambiguous], { base: ambiguous })).rejects.toThrow(/--base: is for LoRA adapters/);
    await expect(auditOf([adapter], { base: join(folder, "nowhere") })).rejects.toThrow(
      /nowhere: no such file/,
    );
  });

  it("streams, resumes and compares as with any other weights", async () => {
    const model = base("good.safetensors", part("model.layers.0.self_attn.q_proj.weight", W));
    expect(await one(adapter, { base: model, memory: 500 })).toMatchObject(line);
    const journal = join(folder, "journal.jsonl");
    for (const flags of [{}, { base: model }]) {
      rmSync(journal, { force: true });
      const first = await one(adapter, { ...flags, resume: journal });
      expect(await one(adapter, { ...flags, resume: journal })).toEqual(first);
    }
    await expect(auditOf([adapter], { resume: journal })).rejects.toThrow(/with --base/);
    const against = await one(adapter, { against: adapter });
    expect(against.ratio).toBe(1);
  });
});

describe("audit --certify of adapters", () => {
  it("proves an interval around the norm of the product, and of the sum", async () => {
    const W = random(12, 20);
    const file = peft("certified", plainConfig, pair(layer, B, A));
    const base = put(
      "certified-base.safetensors",
      safetensors([part("layers.0.self_attn.q_proj.weight", W)]),
    );
    for (const [flags, rows] of [
      [{}, product(B, A, 2)],
      [{ base }, product(B, A, 2, W)],
    ] as const) {
      const { sigma } = expected(rows);
      const found = await one(file, { ...flags, certify: true });
      const { lower = Number.NaN, upper, gradientErrorBound } = found;
      expect(found).toMatchObject({ status: 0, proven: true, sigma });
      expect(lower).toBeLessThanOrEqual(found.sigma);
      expect(upper).toBeGreaterThanOrEqual(found.sigma);
      expect(Number(upper) - lower).toBeLessThan(1e-11 * found.sigma);
      expect(Number(gradientErrorBound)).toBeLessThan(1e-5);
    }
    // With a scale of a third the products are rounded; the interval has to hold for the exact ones.
    const thirds = peft("thirds", { r: 3, lora_alpha: 1 }, pair(layer, B, A));
    const { lower = 0, upper } = await one(thirds, { certify: true });
    const exact = (await one(file, { certify: true })).sigma / 6;
    expect(lower <= exact * (1 + 1e-13) && Number(upper) >= exact * (1 - 1e-13)).toBe(true);
  });

  it("says that nothing is proven where the product is too large to be formed", async () => {
    const [left, right] = [random(20_000, 1), random(1, 20_000)];
    const file = peft("large", { r: 1, lora_alpha: 1 }, pair(layer, left, right));
    const found = await one(file, { certify: true });
    const length = (rows: Rows) => Math.hypot(...rows.flat());
    expect(found).toMatchObject({ proven: false, lower: 0, upper: null, status: 1 });
    expect(found.sigma).toBeCloseTo(length(left) * length(right), 6);
    expect((await auditOf([file], { certify: true })).stdout).toMatch(/not proven/);
  });

  it("gives zeros beyond the rank, and takes an update of zeros", async () => {
    const { singularValues } = await one(peft("top", plainConfig, pair(layer, B, A)), { top: 5 });
    expect(singularValues?.map((x) => x > 0)).toEqual([true, true, true, false, false]);
    const zero = B.map((row) => row.map(() => 0));
    const found = await one(peft("zero", plainConfig, pair(layer, zero, A)));
    expect(found).toMatchObject({ sigma: 0, frobenius: 0, stableRank: 0, converged: true });
  });
});

describe("the Frobenius norm of a product", () => {
  const norm = (left: Rows, right: Rows, scale = 1) =>
    frobeniusOfProduct(
      { left: Float64Array.from(left.flat()), right: Float64Array.from(right.flat()) },
      right.length,
      right[0].length,
      scale,
    );

  it("is that of the formed product, whichever side is the shortest", () => {
    for (const [m, r, n] of [
      [12, 3, 20],
      [3, 3, 3],
      [2, 7, 5],
      [9, 5, 2],
      [1, 1, 1],
    ]) {
      const [left, right] = [random(m, r), random(r, n)];
      const formed = Math.hypot(...product(left, right, -3).flat());
      expect(norm(left, right, -3)).toBeCloseTo(formed, 10);
    }
  });

  it("survives what cancels, overflows or is zero", () => {
    const left = random(40, 1).map(([x]) => [x, -x + x * 2 ** -40, 0]);
    const [a] = random(1, 30);
    const right = [a, a, a];
    const formed = Math.hypot(...product(left, right, 1).flat());
    expect(norm(left, right) / formed).toBeCloseTo(1, 3);
    expect(norm([[1e200], [0]], [[1e100, 0]])).toBeCloseTo(1e300, -290);
    expect(norm([[0], [0]], [[1, 2]])).toBe(0);
  });
});
