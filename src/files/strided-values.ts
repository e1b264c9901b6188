/** Row-major numbers out of an array with strides. */
export function stridedValues(
  values: Float32Array | Float64Array,
  shape: readonly number[],
  strides: readonly number[],
  begin = 0,
): Float32Array | Float64Array {
  const count = shape.reduce((a, b) => a * b, 1);
  const found = values instanceof Float64Array ? new Float64Array(count) : new Float32Array(count);
  if (count === 0) return found;
  const index = new Array<number>(shape.length).fill(0);
  let at = begin;
  for (let k = 0; ; k++) {
    found[k] = values[at];
    let axis = shape.length - 1;
    for (; axis >= 0; axis--) {
      at += strides[axis];
      if (++index[axis] < shape[axis]) break;
      at -= strides[axis] * shape[axis];
      index[axis] = 0;
    }
    if (axis < 0) return found;
  }
}

/** Row-major strides. */
export function stridesOf(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length).fill(1);
  for (let axis = shape.length - 2; axis >= 0; axis--) strides[axis] = strides[axis + 1] * shape[axis + 1];
  return strides;
}
