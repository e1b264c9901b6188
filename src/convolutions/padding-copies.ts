import type { ConvolutionAxis, ConvolutionForm } from "../operators/convolution-form.js";

/** For each place of the input along an axis, how often a tap of some output meets a copy of it in the padded input. */
function copiesOf({ size, taps, stride, dilation, outputs, source }: ConvolutionAxis): Int32Array {
  const met = new Uint8Array(source.length);
  for (let i = 0; i < outputs; i++) for (let a = 0; a < taps; a++) met[i * stride + a * dilation] = 1;
  const copies = new Int32Array(size);
  for (let place = 0; place < source.length; place++)
    if (met[place] === 1 && source[place] >= 0) copies[source[place]]++;
  return copies;
}

/**
 * The largest number of copies of a number in the padded input, those counted that the kernel meets. Its root is the
 * norm of the padding, as far as the convolution reads it.
 */
export function mostCopies(form: ConvolutionForm): number {
  return form.axes.reduce(
    (product, axis) => product * copiesOf(axis).reduce((most, count) => Math.max(most, count), 1),
    1,
  );
}
