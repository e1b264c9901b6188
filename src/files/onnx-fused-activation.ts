import { PARAMETRIC_SLOPES } from "./activation-slopes.js";
import type { NetworkMap } from "./network.js";
import { lipschitz, type OnnxOperation } from "./onnx-operation.js";
import { NoBound } from "./onnx-values.js";

/** The activation that ONNX Runtime has fused into a convolution or a product; undefined if there is none. */
export function activationRule({
  node,
}: OnnxOperation): { readonly name: string; readonly map: NetworkMap } | undefined {
  const name = node.texts.get("activation") ?? "";
  if (name === "") return undefined;
  const parameters = node.floats.get("activation_params") ?? [];
  const alpha = parameters[0] ?? node.floats.get("activation_alpha")?.[0];
  const slope = slopeOf(name, alpha);
  if (slope === undefined) throw new NoBound(`its activation ${name} is not understood`);
  return { name, map: lipschitz(slope, slope === 1 ? "1-Lipschitz" : "its steepest slope") };
}

function slopeOf(name: string, alpha: number | undefined): number | undefined {
  switch (name) {
    case "Relu":
    case "Tanh":
    case "Clip":
      return 1;
    case "Sigmoid":
      return 0.25;
    case "HardSigmoid":
      return Math.abs(alpha ?? Math.fround(0.2));
    case "LeakyRelu":
      return PARAMETRIC_SLOPES.LeakyRelu(alpha ?? Math.fround(0.01));
  }
  return undefined;
}
