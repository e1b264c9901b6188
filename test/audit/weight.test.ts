import { describe, expect, it } from "vitest";
import { isEmbedding, weightOf } from "../../src/audit/weight.js";
import type { TensorEntry } from "../../src/files/tensor.js";

const tensor = (name: string, shape: readonly number[], layout: "tensorflow" | "pytorch"): TensorEntry => ({
  kind: "tensor",
  name,
  shape,
  dtype: "float32",
  layout,
  bytes: 0,
  open: () => {
    throw new Error("not to be opened");
  },
});

describe("the matrix of a tensor", () => {
  it.each([
    ["tensorflow", [3, 5, 7, 11], 105, 11],
    ["pytorch", [11, 7, 3, 5], 11, 105],
    ["tensorflow", [3, 7, 11], 21, 11],
    ["pytorch", [11, 7, 3], 11, 21],
    ["tensorflow", [4, 6], 4, 6],
    ["pytorch", [4, 6], 4, 6],
    ["tensorflow", [1, 1, 2, 3, 5], 6, 5],
    ["pytorch", [1, 9], 1, 9],
  ] as const)("in the layout of %s, %j, is %i×%i", (layout, shape, rows, cols) => {
    expect(weightOf(tensor("w", shape, layout), {})).toMatchObject({ kind: "weight", rows, cols });
  });

  it("may be taken in the other layout", () => {
    const found = weightOf(tensor("w", [2, 3, 5, 7], "pytorch"), { layout: "tensorflow" });
    expect(found).toMatchObject({ rows: 30, cols: 7 });
  });

  it.each([
    [[], /scalar/],
    [[5], /vector/],
    [[0, 5], /empty/],
  ])("of shape %j is none", (shape, reason) => {
    const found = weightOf(tensor("w", shape, "pytorch"), {});
    expect(found.kind === "left out" && found.reason).toMatch(reason);
  });
});

describe("tables of embeddings", () => {
  it.each([
    "model.embed_tokens.weight",
    "bert.embeddings.word_embeddings.weight",
    "transformer.wte.weight",
    "wpe",
    "embedding/embeddings",
    "encoder/pos_embed",
    "embedding_1/embeddings:0",
    "tok_embeddings.weight",
  ])("%s is one", (name) => {
    expect(isEmbedding(name)).toBe(true);
    const found = weightOf(tensor(name, [9, 4], "pytorch"), {});
    expect(found.kind === "left out" && found.reason).toMatch(/embedding table/);
    expect(weightOf(tensor(name, [9, 4], "pytorch"), { embeddings: true }).kind).toBe("weight");
  });

  it.each([
    "patch_embed.proj.weight",
    "embeddings_project.weight",
    "encoder.embedding_hidden_mapping_in.weight",
    "embed_out.weight",
    "lm_head.weight",
    "weight",
    "layers.0.mlp.up_proj.weight",
    "embedding.layer.0.attention.kernel",
    "",
  ])("%s is none", (name) => {
    expect(isEmbedding(name)).toBe(false);
  });
});
