/** The lengths of a value's axes. One that is not fixed is a text, the same text for lengths that are equal for every input. */
export type ValueShape = readonly (number | string)[];

/** A network as a directed acyclic graph of maps between values. What does not depend on an input is part of the maps. */
export interface Network {
  readonly inputs: readonly NetworkInput[];
  /** names of values */
  readonly outputs: readonly string[];
  /** each behind the nodes whose outputs it takes */
  readonly nodes: readonly NetworkNode[];
}

export interface NetworkInput {
  readonly name: string;
  /** undefined if not even its rank is known */
  readonly shape: ValueShape | undefined;
}

export interface NetworkNode {
  /** unique in the network */
  readonly name: string;
  /** the operator or the layer's class; of several that were recognized as one, such as "SiLU (Sigmoid, Mul)" */
  readonly op: string;
  /** names of values that depend on an input of the network; one may occur more than once */
  readonly inputs: readonly string[];
  /** names of values; each takes part of the map's result, or all of it */
  readonly outputs: readonly string[];
  /** of the first input, if its rank is known */
  readonly shape: ValueShape | undefined;
  readonly map: NetworkMap;
}

export type NetworkMap = MatrixMap | ConvolutionMap | ScalingMap | LipschitzMap | UnboundedMap;

/** Products of a matrix with the vectors along one axis, plus a constant. */
export interface MatrixMap {
  readonly kind: "matrix";
  /** outputs and inputs */
  readonly shape: readonly [number, number];
  /** the axis of the input, counted from the end: −1 for the last */
  readonly axis: number;
  /**
   * Reads the matrix, row-major, as the network uses it.
   *
   * @throws FileError, NonFiniteError
   */
  read(): Float32Array | Float64Array;
}

/** A convolution or its adjoint, plus a constant; the padding is zeros. The axes in space are the last, behind one of channels, unless `channelsLast`. */
export interface ConvolutionMap {
  readonly kind: "convolution";
  /** of the convolution: of a transposed one, the channels that come in */
  readonly outputs: number;
  /** input channels of a group of the convolution */
  readonly depth: number;
  readonly groups: number;
  /** one, two or three */
  readonly axes: readonly ConvolutionMapAxis[];
  /** whether it is the adjoint of the convolution */
  readonly transposed: boolean;
  readonly channelsLast: boolean;
  /**
   * Reads the kernel, [outputs, depth, …taps], row-major, as the network uses it.
   *
   * @throws FileError, NonFiniteError
   */
  read(): Float32Array | Float64Array;
}

export interface ConvolutionMapAxis {
  readonly taps: number;
  readonly stride: number;
  readonly dilation: number;
  /**
   * Places of zeros before and after the input of the convolution, which is the output of a transposed one; undefined if
   * they depend on a size that is open. Negative ones are cut off.
   */
  readonly padding: readonly [number, number] | undefined;
  /** places of what comes into the node, if they are fixed */
  readonly size: number | undefined;
  /** of a transposed convolution: places of what comes out of it, if they are fixed */
  readonly outputSize?: number | undefined;
}

/** Products with one number for each channel, or with a single number, plus a constant. */
export interface ScalingMap {
  readonly kind: "scaling";
  /** one, or one for each place along `axis` */
  readonly factors: Float64Array;
  /** each factor is that of the network times 1 + δ, |δ| ≤ this */
  readonly relativeError: number;
  /** the axis of the input, counted from the end: −1 for the last; of no matter for a single factor */
  readonly axis: number;
}

/** A map of which a constant is known: ‖f(x) − f(y)‖ is at most this many times the distances between its inputs. */
export interface LipschitzMap {
  readonly kind: "lipschitz";
  /** one for each input, not below the exact one */
  readonly constants: readonly number[];
  /** whether the distances, each times its constant, are added, or the root is taken of the sum of their squares */
  readonly combine: "sum" | "root of squares";
  /** why, in a few words: "1-Lipschitz", "max |γ| / √ε" */
  readonly how: string;
  /** whether the map is linear, up to a constant that is added */
  readonly linear: boolean;
}

/** A map that has no Lipschitz constant, or of which none is known. */
export interface UnboundedMap {
  readonly kind: "unbounded";
  /** such as "the product of two values that both depend on the input" */
  readonly reason: string;
}

/** How a network is read. */
export interface NetworkOptions {
  /** shapes of inputs by their names, in place of those in the file */
  readonly inputs?: ReadonlyMap<string, readonly number[]>;
}
