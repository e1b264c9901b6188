/** The derivative of a convolution with respect to its kernel, which TensorFlow.js lacks on its WebAssembly backend. */
import * as tf from "@tensorflow/tfjs-core";

const NAME = "Conv2DBackpropFilter";

/** Lets the WebAssembly backend train convolutions, unless it can already. */
export function addKernelGradient(): void {
  if (tf.getKernel(NAME, "wasm")) return;
  tf.registerKernel({
    kernelName: NAME,
    backendName: "wasm",
    kernelFunc: ({ inputs, attrs }) =>
      kernelGradient(
        inputs["x"] as tf.Tensor4D,
        inputs["dy"] as tf.Tensor4D,
        attrs as unknown as tf.Conv2DBackpropFilterAttrs,
      ),
  });
}

/**
 * The derivative of ⟨dy, x ∗ W⟩ with respect to W. It is a convolution too: of x with dy, where the images of the batch
 * are channels, and the stride is a dilation.
 *
 * @param x  [images, height, width, channels]
 * @param dy  [images, height, width, filters], of the size that the convolution gives
 * @throws for a padding other than "same" and "valid"
 */
export function kernelGradient(
  x: tf.Tensor4D,
  dy: tf.Tensor4D,
  {
    strides,
    pad,
    filterShape,
  }: Pick<tf.Conv2DBackpropFilterAttrs, "strides" | "pad"> & { filterShape: number[] },
): tf.Tensor4D {
  if (pad !== "same" && pad !== "valid")
    throw new Error(`pad: expected "same" or "valid", got ${String(pad)}`);
  return tf.tidy(() => {
    const steps = typeof strides === "number" ? [strides, strides] : strides;
    // Places from the first to the last that the kernel meets.
    const reach = [0, 1].map((axis) => (dy.shape[axis + 1] - 1) * steps[axis] + filterShape[axis]);
    const zeros = reach.map((places, axis): [number, number] => {
      const missing = pad === "same" ? Math.max(places - x.shape[axis + 1], 0) : 0;
      return [Math.floor(missing / 2), Math.ceil(missing / 2)];
    });
    const met = tf.slice(tf.pad(x, [[0, 0], ...zeros, [0, 0]]), [0, 0, 0, 0], [
      x.shape[0],
      ...reach,
      x.shape[3],
    ] as [number, number, number, number]);
    const images = tf.transpose(met, [3, 1, 2, 0]);
    const filters = tf.transpose(dy, [1, 2, 0, 3]);
    const gradient = tf.conv2d(images, filters, 1, "valid", "NHWC", steps as [number, number]);
    return tf.transpose(gradient, [1, 2, 0, 3]);
  });
}
