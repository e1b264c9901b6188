/** One axis of a convolution: output i meets tap a at place i·stride + a·dilation of the padded input. */
export interface StencilAxis {
  /** taps of the kernel along this axis */
  readonly taps: number;
  readonly stride: number;
  readonly dilation: number;
}

/** The part of a convolution that does not depend on the size of its input or on what is beyond its edges. */
export interface Stencil<A extends StencilAxis = StencilAxis> {
  /** [outputs, depth, …taps], row-major. The first outputs/groups output channels are those of the first group */
  readonly weights: Float64Array;
  /** output channels, of all groups together */
  readonly outputs: number;
  /** input channels of a group */
  readonly depth: number;
  readonly groups: number;
  /** one, two or three */
  readonly axes: readonly A[];
}

/** What continues an image beyond its edges. */
export type Boundary = "zero" | "circular" | "reflect" | "replicate";

/** One axis of a convolution of an input of known size. */
export interface ConvolutionAxis extends StencilAxis {
  /** places of the input */
  readonly size: number;
  /** places added before the first and after the last; negative ones are cut off */
  readonly before: number;
  readonly after: number;
  readonly outputs: number;
  /** for each place of the padded input, the place of the input that it copies, or −1 for a zero */
  readonly source: Int32Array;
}

/** A convolution of an input of known size. */
export interface ConvolutionForm extends Stencil<ConvolutionAxis> {
  readonly boundary: Boundary;
  /** whether the operator is the adjoint of this convolution */
  readonly transposed: boolean;
}

const forms = new WeakMap<object, ConvolutionForm>();

/** Records that an operator is this convolution, or its adjoint. */
export function setConvolutionForm(operator: object, form: ConvolutionForm): void {
  forms.set(operator, form);
}

/** The convolution that an operator of `conv2d` and its siblings is; undefined for any other. */
export function convolutionFormOf(operator: object): ConvolutionForm | undefined {
  return forms.get(operator);
}
