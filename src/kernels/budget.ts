/** What WebAssembly's 32-bit addresses reach, less a page. */
const REACH = 2 ** 32 - 2 ** 16;

let bytes = REACH;

/** Bytes of kernel memory that one call may take: beyond them a matrix is read in panels. */
export function kernelBudget(): number {
  return bytes;
}

/** Runs something as if kernel memory ended at `most` bytes: with it, small matrices can stand for large ones. */
export function withKernelBudget<T>(most: number, run: () => T): T {
  const before = bytes;
  bytes = most;
  try {
    return run();
  } finally {
    bytes = before;
  }
}
