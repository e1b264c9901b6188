/** The weight of a layer as the matrix that is normalized. */
import { reshape, type Tensor } from "@tensorflow/tfjs-core";
import type { LayerVariable, layers } from "@tensorflow/tfjs-layers";
import { OptionError } from "../../matrix/errors.js";

/**
 * A kernel as a matrix, as Miyato et al. (ICLR 2018, §3) and Keras reshape it: the last axis gives the
 * columns, the other axes the rows. A dense kernel is [in, out] already; a convolution's [h, w, in, out]
 * becomes (h·w·in)×out. The norm of that matrix is not the norm of the convolution as an operator:
 * for h×w windows that one is at most √(h·w) times as large.
 */
export function asMatrix(kernel: Tensor): Tensor {
  return reshape(kernel, matrixShape(kernel.shape));
}

export function matrixShape(shape: number[]): [rows: number, columns: number] {
  const columns = shape[shape.length - 1] ?? 1;
  return [shape.slice(0, -1).reduce((a, b) => a * b, 1), columns];
}

/** Where a layer keeps its one weight matrix. */
export type KernelProperty = "kernel" | "embeddings" | "depthwiseKernel";

/**
 * Where the matrix of a layer is, for `conv: "reshape"`.
 *
 * @throws OptionError for a layer without such a weight, or with several
 */
export function kernelProperty(layer: layers.Layer, caller: string): KernelProperty {
  const refuse = (why: string) =>
    new OptionError(
      `layer: ${caller} expects a layer with one kernel (or embeddings); ${layer.getClassName()} ${why}`,
    );
  if ("depthwiseKernel" in layer) {
    const instead = layer.getClassName() === "DepthwiseConv2D" ? '; pass conv: "operator"' : "";
    throw refuse(`filters each channel separately, so it has no single matrix to normalize${instead}`);
  }
  // Before a layer is built, the property exists with the value null.
  if ("kernel" in layer) return "kernel";
  if ("embeddings" in layer) return "embeddings";
  throw refuse("cell" in layer ? "has its kernels in a cell" : "has none");
}

/** The kernel's variable; undefined before the layer is built. */
export function kernelOf(layer: layers.Layer, property: KernelProperty): LayerVariable | undefined {
  return (layer as unknown as Record<KernelProperty, LayerVariable | null>)[property] ?? undefined;
}

/** Calls `f` with `value` in place of the kernel. */
export function withKernel<T>(layer: layers.Layer, property: KernelProperty, value: Tensor, f: () => T): T {
  const owner = layer as unknown as Record<KernelProperty, { read(): Tensor } | undefined>;
  const variable = owner[property];
  owner[property] = { read: () => value };
  try {
    return f();
  } finally {
    owner[property] = variable;
  }
}
