/** Chosen: just below 32 MiB, up to which glibc adapts (mallopt(3), M_MMAP_THRESHOLD). */
const BYTES = 31 * 2 ** 20;

/**
 * Brings this process's allocator to the state that it has in a program which has held a model's weights: a block of 31 MiB
 * is allocated and freed. From then on, glibc keeps up to twice as much freed memory, which it would otherwise return to the
 * system, so that every new gradient would lie in new pages. On a virtual machine, these can take longer than the gradient.
 * The contenders in Python and R do the same.
 */
export function ageAllocator(): void {
  new ArrayBuffer(BYTES);
  globalThis.gc?.();
}
