/** Chosen: just below 32 MiB, up to which glibc adapts (mallopt(3), M_MMAP_THRESHOLD). */
const BYTES = 31 * 2 ** 20;

/**
 * Allocates and frees a block of 31 MiB, as a program that has held a model's weights has done. Afterwards glibc keeps
 * up to twice that much freed memory. In a fresh process it returns freed memory to the system early, and most new
 * gradients lie in new pages. On a virtual machine, the first access to those can take longer than the computation. The
 * contenders in Python and R do the same.
 */
export function ageAllocator(): void {
  new ArrayBuffer(BYTES);
  globalThis.gc?.();
}
