import { BINDING } from "./common.js";

/** How the shaders read entries of A. */
export interface Reading {
  /** four at a time: every row begins at a multiple of four numbers and has a multiple of four */
  fours: boolean;
  /** multiplied by a power of two; subnormal numbers are read by their bits, as a device may treat them as zero */
  scaled: boolean;
}

/**
 * `load(row, c)`: the four entries from column 4c on; zero beyond the last column. `p.scale` is (2^a, 2^b, 2^c, 2^d):
 * normal numbers are multiplied by 2^(a+b), and the integer bits of subnormal ones by 2^(c+d). There are two factors each
 * because one might not be a float32.
 */
export function loadOf({ fours, scaled }: Reading): string {
  const value = scaled
    ? `
fn value(raw: vec4<u32>) -> vec4<f32> {
  let size = raw & vec4<u32>(0x7fffffffu);
  let subnormal = vec4<f32>(size) * p.scale.z * p.scale.w;
  let normal = bitcast<vec4<f32>>(max(size, vec4<u32>(0x00800000u))) * p.scale.x * p.scale.y;
  let magnitude = select(normal, subnormal, size < vec4<u32>(0x00800000u));
  return bitcast<vec4<f32>>(bitcast<vec4<u32>>(magnitude) | (raw & vec4<u32>(0x80000000u)));
}`
    : `
fn value(raw: vec4<u32>) -> vec4<f32> { return bitcast<vec4<f32>>(raw); }`;
  return fours
    ? `
@group(0) @binding(${BINDING.matrix}) var<storage, read> A: array<vec4<u32>>;
${value}
fn load(row: u32, c: u32) -> vec4<f32> { return value(A[(p.offset + row * p.lda) / 4u + c]); }`
    : `
@group(0) @binding(${BINDING.matrix}) var<storage, read> A: array<u32>;
${value}
fn entry(row: u32, column: u32) -> u32 {
  return select(0u, A[p.offset + row * p.lda + min(column, p.cols - 1u)], column < p.cols);
}
fn load(row: u32, c: u32) -> vec4<f32> {
  let j = 4u * c;
  return value(vec4<u32>(entry(row, j), entry(row, j + 1u), entry(row, j + 2u), entry(row, j + 3u)));
}`;
}
