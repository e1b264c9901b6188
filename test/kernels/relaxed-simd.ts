/** What turns relaxed SIMD on in this Node: a flag before 22, nothing from there on. */
export const RELAXED_SIMD_FLAGS: readonly string[] =
  Number.parseInt(process.versions.node, 10) < 22 ? ["--experimental-wasm-relaxed-simd"] : [];
