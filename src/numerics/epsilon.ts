/** The dtype's spacing at 1, as `numpy.finfo(dtype).eps`. */
export const EPSILON = { float32: 2 ** -23, float64: 2 ** -52 } as const;
