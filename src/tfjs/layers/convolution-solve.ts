/** The first singular triplet of a convolution: by the core where it can, else by products on the backend. */
import { getBackend, ones, reshape, slice, type Tensor, tensor, tidy } from "@tensorflow/tfjs-core";
import { conv2d, type Operator, type ParametricOperator, type SingularTriplet } from "../../index.js";
import { AdjointError, NonFiniteError, UnsupportedError } from "../../matrix/errors.js";
import { requireConverged } from "../../solve/require-converged.js";
import { singularTriplet, tripletOfValue } from "../../solve/triplet.js";
import { randomColumn } from "../device-algebra.js";
import { readNow } from "../tensor-input.js";
import type { ConvolutionProducts } from "./convolution-products.js";
import { isTransposed, type LayerGeometry } from "./layer-geometry.js";
import { follow, subspaceSize } from "./tracking.js";

/** σ₁ of a convolution as a scalar, and unit vectors u (1×m) and v (1×n), images with channels last. */
export interface ConvolutionTriplet {
  sigma: Tensor;
  u: Tensor;
  v: Tensor;
  /** ∂σ/∂kernel, of the kernel's shape; for the goal "gradient" */
  gradient: Tensor | undefined;
}

/** The relative error of σ, or that of its gradient, that is asked for. Chosen: what training in float32 can use. */
const RTOL = { value: 1e-6, gradient: 1e-4 };
/** The same where products are computed in float32. */
const RTOL_OF_PRODUCTS = { value: 1e-6, gradient: 1e-3 };
/** Steps of subspace iteration where nothing can be read. Chosen as a compromise; nothing says how far they reach. */
const STEPS_ON_DEVICE = 64;

/**
 * @param goal  what must be accurate: σ alone, or its gradient too
 * @throws NonFiniteError naming the first weight that is NaN or infinite; ConvergenceError
 *
 * Convolutions of one and two axes are solved by the core's `conv2d` in float64, from the numbers of the kernel. Those of
 * three take products on the backend, in float32. Where nothing can be read synchronously (webgpu), the triplet is that
 * of a fixed number of steps.
 */
export function solveConvolution(
  map: ConvolutionProducts,
  kernel: Tensor,
  goal: "value" | "gradient",
  caller: string,
): ConvolutionTriplet {
  const data = numbersOf(kernel, caller);
  if (!data) return solveOnDevice(map, kernel, goal);
  if (map.geometry.taps.length === 3) return solveByProducts(map, kernel, goal, caller);
  return solveOnHost(map, data, goal, caller);
}

function numbersOf(kernel: Tensor, caller: string): Float32Array | undefined {
  let data: Float32Array;
  try {
    data = readNow(kernel, caller, "");
  } catch (error) {
    if (error instanceof UnsupportedError) return undefined;
    throw error;
  }
  const at = data.findIndex((value) => !Number.isFinite(value));
  if (at >= 0)
    throw new NonFiniteError(`${caller}: weight ${at} of a kernel of shape [${kernel.shape}] is ${data[at]}`);
  return data;
}

function solveOnHost(
  map: ConvolutionProducts,
  data: Float32Array,
  goal: "value" | "gradient",
  caller: string,
): ConvolutionTriplet {
  const { geometry } = map;
  const transposed = isTransposed(geometry.type);
  const operator = operatorOf(geometry, data);
  const triplet = solved(operator, goal, RTOL, caller);
  // Of a transposed convolution, the operator is the adjoint.
  const [u, v] = transposed ? [triplet.v, triplet.u] : [triplet.u, triplet.v];
  const gradient =
    goal === "gradient"
      ? tensor(Float32Array.from(operator.parameterGrad(triplet.u, triplet.v).data))
      : undefined;
  return {
    sigma: tensor(triplet.sigma),
    u: tensor(channelsLast(u, geometry.outputImage), [1, map.rows]),
    v: tensor(channelsLast(v, geometry.inputImage), [1, map.columns]),
    gradient,
  };
}

/** The convolution of one or two axes as an operator of the core; of a transposed one, its adjoint. */
function operatorOf(
  { type, taps, inputImage, outputImage, strides, padding, dilationRate }: LayerGeometry,
  data: Float32Array,
): ParametricOperator<{ readonly data: ArrayLike<number> }> {
  const transposed = isTransposed(type);
  const pair = (axes: readonly number[]): [number, number] =>
    axes.length === 1 ? [1, axes[0]] : [axes[0], axes[1]];
  const channelsIn = inputImage[taps.length];
  const channelsOut = outputImage[taps.length];
  const depthwise = type === "depthwiseConv2d";
  const [depth, outputs] = transposed ? [channelsOut, channelsIn] : [depthwise ? 1 : channelsIn, channelsOut];
  return conv2d(
    { data, shape: [...pair(taps), depth, outputs] },
    {
      input: pair((transposed ? outputImage : inputImage).slice(0, -1)),
      stride: pair(strides),
      dilation: pair(dilationRate),
      padding,
      groups: depthwise ? channelsIn : 1,
      layout: "hwio",
    },
  );
}

function solveByProducts(
  map: ConvolutionProducts,
  kernel: Tensor,
  goal: "value" | "gradient",
  caller: string,
): ConvolutionTriplet {
  const { rows, columns } = map;
  const product = (name: "fromLeft" | "fromRight", x: Float64Array, out: Float64Array) => {
    const result = tidy(() => map.products(kernel)[name](tensor(Float32Array.from(x), [1, x.length])));
    out.set(result.dataSync<"float32">());
    result.dispose();
  };
  const operator = {
    shape: [rows, columns] as const,
    matvec: (x: Float64Array, out: Float64Array) => product("fromRight", x, out),
    rmatvec: (y: Float64Array, out: Float64Array) => product("fromLeft", y, out),
  };
  const triplet = solvedByProducts(operator, goal, caller);
  const u = tensor(Float32Array.from(triplet.u), [1, rows]);
  const v = tensor(Float32Array.from(triplet.v), [1, columns]);
  return {
    sigma: tensor(triplet.sigma),
    u,
    v,
    gradient: goal === "gradient" ? map.kernelGradient(u, v) : undefined,
  };
}

function solvedByProducts(operator: Operator, goal: "value" | "gradient", caller: string): SingularTriplet {
  try {
    return solved(operator, goal, RTOL_OF_PRODUCTS, caller);
  } catch (error) {
    if (!(error instanceof AdjointError)) throw error;
    throw new AdjointError(
      `${caller}: on the ${getBackend()} backend, TensorFlow.js' transposed convolution is not the adjoint of its convolution, by more than the rounding of float32 (known of conv3d on wasm); use another backend`,
      error.reason,
    );
  }
}

/** Of an operator, what is wanted of it, to the accuracy wanted of that. */
function solved(
  operator: Operator,
  goal: "value" | "gradient",
  rtol: Readonly<Record<"value" | "gradient", number>>,
  caller: string,
): SingularTriplet {
  const options = { rtol: rtol[goal] };
  const triplet = goal === "value" ? tripletOfValue(operator, options) : singularTriplet(operator, options);
  requireConverged(triplet, caller);
  return triplet;
}

function solveOnDevice(
  map: ConvolutionProducts,
  kernel: Tensor,
  goal: "value" | "gradient",
): ConvolutionTriplet {
  return tidy(() => {
    const { rows, columns } = map;
    const products = map.products(kernel);
    const size = subspaceSize(rows, columns);
    const start = reshape(randomColumn(1, (size + 1) * rows, 1), [size + 1, rows]);
    const [u, subspace] = [slice(start, [0, 0], [1, rows]), slice(start, [1, 0])];
    let near = follow(products, { u, v: ones([1, columns]), subspace });
    for (let i = 1; i < STEPS_ON_DEVICE; i++) {
      const last = near;
      near = tidy(() => follow(products, last));
    }
    const gradient = goal === "gradient" ? map.kernelGradient(near.u, near.v) : undefined;
    return { sigma: reshape(near.sigma, []), u: near.u, v: near.v, gradient };
  });
}

/** An image with channels first as one with channels last. */
function channelsLast(image: ArrayLike<number>, shape: readonly number[]): Float32Array {
  const channels = shape[shape.length - 1];
  const places = image.length / channels;
  const out = new Float32Array(image.length);
  for (let c = 0; c < channels; c++)
    for (let i = 0; i < places; i++) out[i * channels + c] = image[c * places + i];
  return out;
}
