/** A convolution as the linear map that it is on images of a given size, by tensor operations. */
import {
  conv2d,
  conv2dTranspose,
  conv3d,
  conv3dTranspose,
  depthwiseConv2d,
  engine,
  getBackend,
  getKernel,
  matMul,
  pad,
  reshape,
  slice,
  stridedSlice,
  type Tensor,
  type Tensor4D,
  type Tensor5D,
} from "@tensorflow/tfjs-core";
import { geometryOf, isTransposed, type LayerAttributes, type LayerGeometry } from "./layer-geometry.js";
import type { Products } from "./layer-map.js";

const DEPTHWISE_ADJOINT = "DepthwiseConv2dNativeBackpropInput";

/**
 * Images are flattened with channels last. The kernel has the shape that TensorFlow.js gives it: [...taps, in, out];
 * [...taps, out, in] for a transposed convolution; [h, w, channels, multiplier] for a depthwise one.
 *
 * A dilated kernel is used with the zeros between its taps, because TensorFlow.js has no gradient of a dilated
 * convolution. A 1-d convolution is a 2-d one of images of height 1.
 */
export class ConvolutionProducts {
  readonly geometry: LayerGeometry;
  readonly rows: number;
  readonly columns: number;
  readonly uShape: readonly number[];
  readonly vShape: readonly number[];
  readonly #kernelShape: readonly number[];
  readonly #flat: Flat;

  /** @throws ShapeError if the kernel does not fit */
  constructor(attributes: LayerAttributes, kernelShape: readonly number[], caller: string) {
    this.geometry = geometryOf(attributes, kernelShape, caller);
    const { outputImage, inputImage } = this.geometry;
    this.rows = outputImage.reduce((a, b) => a * b, 1);
    this.columns = inputImage.reduce((a, b) => a * b, 1);
    this.uShape = [1, ...outputImage];
    this.vShape = [1, ...inputImage];
    this.#kernelShape = kernelShape;
    this.#flat = flatOf(this.geometry);
  }

  products(kernel: Tensor): Products {
    const { rows, columns } = this;
    return {
      rows,
      columns,
      fromLeft: (y) => this.#adjoint(this.#dilated(kernel), y),
      fromRight: (x) => this.#forward(this.#dilated(kernel), x),
    };
  }

  /** Whether the backend has both products: wasm has no transposed depthwise convolution. */
  followable(): boolean {
    return (
      this.geometry.type !== "depthwiseConv2d" || getKernel(DEPTHWISE_ADJOINT, getBackend()) !== undefined
    );
  }

  /** uᵀ·A·v, a scalar; differentiable in the kernel if TensorFlow.js has the gradients. */
  bilinear(kernel: Tensor, u: Tensor, v: Tensor): Tensor {
    const image = this.#forward(this.#dilated(kernel), reshape(v, [1, -1]));
    return reshape(matMul(image, reshape(u, [-1, 1])), []);
  }

  /** The derivative of uᵀ·A·v in the kernel. Not differentiable. */
  kernelGradient(u: Tensor, v: Tensor): Tensor {
    const { type } = this.geometry;
    const { inputImage, outputImage, strides, padding, filterShape } = this.#flat;
    const [image, response] = [reshape(v, [1, ...inputImage]), reshape(u, [1, ...outputImage])];
    // A transposed convolution is the adjoint of a convolution from its output to its input.
    const [x, dy] = isTransposed(type) ? [response, image] : [image, response];
    const attributes = { strides, pad: padding, filterShape, dimRoundingMode: undefined as never };
    const kernelName =
      type === "depthwiseConv2d"
        ? "DepthwiseConv2dNativeBackpropFilter"
        : strides.length === 3
          ? "Conv3DBackpropFilterV2"
          : "Conv2DBackpropFilter";
    const gradient = engine().runKernel(
      kernelName,
      { x, dy },
      { ...attributes, dataFormat: "NHWC", dilations: [1, 1] },
    ) as Tensor;
    const { dilationRate, taps } = this.geometry;
    const axes = taps.length;
    const sparse = reshape(gradient, [...taps.map((n, k) => reachOf(n, dilationRate[k])), -1]);
    return reshape(stridedSlice(sparse, new Array(axes + 1).fill(0), sparse.shape, [...dilationRate, 1]), [
      ...this.#kernelShape,
    ]);
  }

  /** b×n to b×m, with a dilated kernel. */
  #forward(kernel: Tensor, x: Tensor): Tensor {
    const { type } = this.geometry;
    const { inputImage, outputImage } = this.#flat;
    const images = reshape(x, [-1, ...inputImage]);
    const result = isTransposed(type)
      ? this.#correlateTransposed(kernel, images, outputImage)
      : this.#correlate(kernel, images);
    return reshape(result, [x.shape[0], this.rows]);
  }

  /** b×m to b×n. */
  #adjoint(kernel: Tensor, y: Tensor): Tensor {
    const { type } = this.geometry;
    const { inputImage, outputImage } = this.#flat;
    const images = reshape(y, [-1, ...outputImage]);
    const result = isTransposed(type)
      ? this.#correlate(kernel, images)
      : this.#correlateTransposed(kernel, images, inputImage);
    return reshape(result, [y.shape[0], this.columns]);
  }

  #correlate(kernel: Tensor, images: Tensor): Tensor {
    const { strides, padding } = this.#flat;
    if (strides.length === 3)
      return conv3d(images as Tensor5D, kernel as Tensor5D, strides as [number, number, number], padding);
    const operation = this.geometry.type === "depthwiseConv2d" ? depthwiseConv2d : conv2d;
    return operation(images as Tensor4D, kernel as Tensor4D, strides as [number, number], padding);
  }

  /** @param image  [...sizes, channels] of the result */
  #correlateTransposed(kernel: Tensor, images: Tensor, image: readonly number[]): Tensor {
    const { strides, padding } = this.#flat;
    const shape = [images.shape[0], ...image];
    if (strides.length === 3)
      return conv3dTranspose(
        images as Tensor5D,
        kernel as Tensor5D,
        shape as [number, number, number, number, number],
        strides as [number, number, number],
        padding,
      );
    if (this.geometry.type === "depthwiseConv2d")
      return engine().runKernel(
        DEPTHWISE_ADJOINT,
        { dy: images, filter: kernel },
        {
          strides: [...strides],
          pad: padding,
          dilations: [1, 1],
          dimRoundingMode: undefined as never,
          inputShape: shape,
        },
      ) as Tensor;
    return conv2dTranspose(
      images as Tensor4D,
      kernel as Tensor4D,
      shape as [number, number, number, number],
      strides as [number, number],
      padding,
    );
  }

  /** The kernel with zeros between its taps, and a first axis of length 1 if it is that of a 1-d convolution. */
  #dilated(kernel: Tensor): Tensor {
    const { taps, dilationRate } = this.geometry;
    let result = kernel;
    let before = 1;
    taps.forEach((n, k) => {
      const rate = dilationRate[k];
      if (rate > 1 && n > 1) {
        const spread = pad(reshape(result, [before, n, 1, -1]), [
          [0, 0],
          [0, 0],
          [0, rate - 1],
          [0, 0],
        ]);
        const flat = reshape(spread, [before, n * rate, result.size / (before * n)]);
        result = slice(flat, [0, 0, 0], [before, reachOf(n, rate), result.size / (before * n)]);
      }
      before *= reachOf(n, rate);
    });
    return reshape(result, [...this.#flat.filterShape]);
  }
}

/** The sizes with which TensorFlow.js' operations are called: those of a 1-d convolution get a height of 1. */
interface Flat {
  readonly inputImage: number[];
  readonly outputImage: number[];
  readonly filterShape: number[];
  readonly strides: number[];
  readonly padding: "same" | "valid";
}

function flatOf(geometry: LayerGeometry): Flat {
  const { type, taps, dilationRate, inputImage, outputImage, strides, padding } = geometry;
  const one = taps.length === 1 ? [1] : [];
  const [channelsIn, channelsOut] = [inputImage[taps.length], outputImage[taps.length]];
  const channels = isTransposed(type)
    ? [channelsOut, channelsIn]
    : [channelsIn, type === "depthwiseConv2d" ? channelsOut / channelsIn : channelsOut];
  return {
    inputImage: [...one, ...inputImage],
    outputImage: [...one, ...outputImage],
    filterShape: [...one, ...taps.map((n, k) => reachOf(n, dilationRate[k])), ...channels],
    // TensorFlow.js wants equal strides of some kernels; along an axis of length 1 any will do.
    strides: taps.length === 1 ? [strides[0], strides[0]] : [...strides],
    padding,
  };
}

/** The places over which taps reach. */
function reachOf(taps: number, rate: number): number {
  return (taps - 1) * rate + 1;
}
