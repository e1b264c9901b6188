import { describe, expect, it } from "vitest";
import { weightsAmong } from "../../src/audit/weight.js";
import type { WeightTensor } from "../../src/files/tensor.js";

const matrix = (name: string, more: Partial<WeightTensor> = {}): WeightTensor => ({
  ...{ kind: "tensor", name, shape: [3, 4], dtype: "float32", layout: "pytorch", bytes: 48 },
  open: () => {
    throw new Error("not to be opened");
  },
  ...more,
});

/** Why a tensor is left out of a file with these names, or "weight". */
function outcomes(...names: readonly string[]): string[] {
  return weightsAmong(
    names.map((name) => matrix(name)),
    {},
  ).map((found) => (found.kind === "left out" ? found.reason : found.kind));
}

describe("the state of an optimizer", () => {
  it.each([
    "optimizer.state.0.exp_avg",
    "optimizer_states.0.state.12.exp_avg_sq",
    "optimizer_state_dict.state.0.momentum_buffer",
    "state.0.exp_avg",
    "state.7.sum",
    "layers.0.weight.exp_avg",
    "exp_avg.layers.0.weight",
    "momentum_buffer.0",
    "Adam/m/dense/kernel",
    "Adam/v/dense/kernel:0",
    "training/Adam/dense/kernel/m:0",
    "training/SGD/dense/kernel/momentum:0",
    "Adam/dense_1/kernel/vhat",
    "optimizer_weights/Adam/m/dense/kernel:0",
    "optimizer/vars/3",
    "optimizer/_variables/3/.ATTRIBUTES/VARIABLE_VALUE",
    "adam/dense_kernel_velocity",
    "layer/kernel/.OPTIMIZER_SLOT/optimizer/m/.ATTRIBUTES/VARIABLE_VALUE",
    "dense/kernel/Adam",
    "dense/kernel/Adam_1",
    "conv/weights/Momentum",
    "conv/weights/RMSProp_1",
    "bert/encoder/layer_0/attention/self/query/kernel/adam_m",
  ])("is %s", (name) => {
    expect(outcomes(name, "dense.weight")).toEqual(["is what an optimizer keeps, by its name", "weight"]);
  });

  it("is what TensorFlow.js has beside a weight of the same shape", () => {
    expect(outcomes("d/kernel", "d/kernel/m", "d/kernel/v", "e/v")).toEqual([
      "weight",
      "is what an optimizer keeps, by its name",
      "is what an optimizer keeps, by its name",
      "weight",
    ]);
  });

  it.each([
    "momentum_encoder.layer.weight",
    "state.0.weight",
    "state_proj.weight",
    "lion.linear.weight",
    "adam",
    "optimizer",
    "m",
    "attention.v",
    "velocity.0.weight",
    "gradient_layer.weight",
    "upgrad.weight",
  ])("is not %s", (name) => {
    expect(outcomes(name)).toEqual(["weight"]);
  });
});

describe("gradients", () => {
  it.each(["layer.weight.grad", "layer.weight.main_grad", "grads.layer.weight", "gradients/layer/kernel"])(
    "are left out: %s",
    (name) => {
      expect(outcomes(name)).toEqual(["is a gradient, by its name"]);
    },
  );
});

describe("moving averages", () => {
  it.each([
    ["a.b.weight", "ema.a.b.weight"],
    ["model.a.weight", "model_ema.a.weight"],
    ["online_model.net.a.weight", "ema_model.net.a.weight"],
    ["model.diffusion_model.blocks.0.0.weight", "model_ema.diffusion_modelblocks00weight"],
    ["state_dict.a.weight", "ema_state_dict.module.a.weight"],
    ["state_dict.a.weight", "state_dict.model_ema.a.weight"],
    ["a.weight", "a.weight_ema"],
    ["g.conv.weight", "g_ema.conv.weight"],
    ["conv/weights", "conv/weights/ExponentialMovingAverage"],
    ["params.body.weight", "params_ema.body.weight"],
  ])("of %s are left out: %s", (weight, average) => {
    expect(outcomes(average, weight)).toEqual([
      "is a moving average of another tensor, by its name",
      "weight",
    ]);
    expect(outcomes(average)).toEqual(["weight"]);
    expect(outcomes(average, "another.weight")).toEqual(["weight", "weight"]);
  });

  it("have the shape of their weight", () => {
    const found = weightsAmong([matrix("a"), matrix("a_ema", { shape: [4, 3] })], {});
    expect(found.map(({ kind }) => kind)).toEqual(["weight", "weight"]);
  });
});

describe("weight normalization", () => {
  const names = (g: string, v: string, shape: readonly number[]) =>
    weightsAmong([matrix(g, { shape }), matrix(v, { shape: [6, 4, 3] })], {}).map((found) =>
      found.kind === "left out" ? found.reason : found.kind,
    );
  const factor = "is a factor of a normalized weight, by its name";

  it("leaves both factors out", () => {
    expect(names("c.weight_g", "c.weight_v", [6, 1, 1])).toEqual([factor, factor]);
    expect(names("c.weight_g", "c.weight_v", [1, 1, 3])).toEqual([factor, factor]);
    expect(names("c.weight_g", "c.weight_v", [])).toEqual(["is a scalar", factor]);
    const [g, v] = ["c.parametrizations.weight.original0", "c.parametrizations.weight.original1"];
    expect(names(g, v, [6, 1, 1])).toEqual([factor, factor]);
  });

  it("is none if the shapes are not those of one, or the other factor is not there", () => {
    expect(names("c.weight_g", "c.weight_v", [6, 4, 3])).toEqual(["weight", "weight"]);
    expect(names("c.weight_g", "c.weight_v", [5, 1, 1])).toEqual(["weight", "weight"]);
    expect(names("c.weight_g", "d.weight_v", [6, 1, 1])).toEqual(["weight", "weight"]);
  });
});

describe("a tensor that a graph uses", () => {
  it("is a weight, whatever its name", () => {
    const use = { operator: "MatMul" };
    const names = ["optimizer.state.0.exp_avg", "w.grad", "a", "ema.a", "a.bias", "norm.weight"];
    const found = weightsAmong(
      names.map((name) => matrix(name, { use })),
      {},
    );
    expect(found.map(({ kind }) => kind)).toEqual(names.map(() => "weight"));
  });
});

describe("what is no matrix whatever its axes", () => {
  it.each([
    "mlp.experts.gate_up_proj_bias",
    "mlp.experts.down_proj_bias",
    "attn.bias",
    "h.0.attn.bias",
    "gru/bias:0",
    "layers.0.self_attn.pos_bias_u",
    "relative_position_bias_table",
    "attention_biases",
  ])("a bias: %s", (name) => {
    expect(outcomes(name)).toEqual(["is a bias, by its name"]);
  });

  it.each([
    "layers.input_layernorm.weight",
    "attn.q_norm.weight",
    "transformer/ln_1/scale",
    "ln_f.gamma",
    "LayerNorm_0/scale",
    "batch_normalization_12/gamma",
    "norm1.weight",
    "norms.3.weight",
    "bn/BatchNorm/moving_variance",
    "encoder.norm.weight[2]",
  ])("of a normalization: %s", (name) => {
    expect(outcomes(name)).toEqual(["belongs to a normalization, by its name"]);
  });

  it.each([
    "norm1.linear.weight",
    "ln1.weight",
    "adaLN_modulation.1.weight",
    "norm_proj.weight",
    "unbiased.weight",
    "bias_net.weight",
    "normal.weight",
    "scale.weight",
    "encoder.linear.weight",
  ])("and none of these: %s", (name) => {
    expect(outcomes(name)).toEqual(["weight"]);
  });
});
