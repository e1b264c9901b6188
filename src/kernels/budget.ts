/** Bytes that WebAssembly can address with 32 bits, less one page of 64 KiB. */
const ADDRESSABLE_BYTES = 2 ** 32 - 2 ** 16;

let bytes = ADDRESSABLE_BYTES;

/** Bytes of kernel memory that one call may use. A matrix that needs more is read in panels. */
export function kernelBudget(): number {
  return bytes;
}

/** Calls `run` with a budget of `most` bytes, so that tests can use small matrices in place of large ones. */
export function withKernelBudget<T>(most: number, run: () => T): T {
  const before = bytes;
  bytes = most;
  try {
    return run();
  } finally {
    bytes = before;
  }
}
