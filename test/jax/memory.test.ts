// jax-js counts references; what it has allocated shows in the size of its memory alone.
const memories: WebAssembly.Memory[] = [];
const Memory = WebAssembly.Memory;
WebAssembly.Memory = class extends Memory {
  constructor(descriptor: WebAssembly.MemoryDescriptor) {
    super(descriptor);
    memories.push(this);
  }
};

import type { Array as JaxArray } from "@jax-js/jax";
import { beforeAll, expect, test } from "vitest";

const jax = await import("@jax-js/jax");
const { numpy: np } = jax;
const { spectralNorm, singularTriplet, svdvals, valueAndGrad } = await import("../../src/jax/index.js");
const { arrayOf, normal, startWasm } = await import("./setup.js");

beforeAll(startWasm);

type Scalar = (x: JaxArray) => JaxArray;
const gradient = (f: Scalar): Scalar => jax.grad(f) as Scalar;
const [m, n] = [40, 30];
const bytes = () => memories.reduce((sum, { buffer }) => sum + buffer.byteLength, 0);
const read = (x: JaxArray) => void x.dataSync();

const compiled = jax.jit(gradient(spectralNorm));
const vectors: Scalar = (x) => {
  const { sigma, u, v } = singularTriplet(x);
  return sigma.add(np.sum(u)).add(np.sum(v));
};

const calls: Record<string, [number, (x: JaxArray, E: JaxArray) => void]> = {
  "a value": [10_000, (x) => read(spectralNorm(x))],
  "a gradient": [500, (x) => read(gradient(spectralNorm)(x))],
  "value and gradient": [
    500,
    (x) => {
      const { value, grad } = valueAndGrad(x);
      read(value);
      read(grad);
    },
  ],
  "the gradient of all three parts of a triplet": [30, (x) => read(gradient(vectors)(x))],
  "a second derivative": [
    30,
    (x, E) => read(gradient((a) => np.sum(gradient(spectralNorm)(a).mul(E.ref)))(x)),
  ],
  "all singular values": [300, (x) => read(gradient((a) => np.sum(svdvals(a)))(x))],
  "a compiled gradient": [100, (x) => read(compiled(x))],
  "a gradient without read-back": [50, (x) => read(gradient((a) => spectralNorm(a, { readBack: false }))(x))],
  vmap: [300, (x) => read(jax.vmap(gradient(spectralNorm))(x.reshape([2, m / 2, n])))],
  "an error": [
    1000,
    (x) => {
      const twice = gradient((a) => np.sum(gradient(spectralNorm)(a)));
      expect(() => twice(x.mul(0))).toThrow(/tied/);
    },
  ],
  "no convergence": [
    300,
    (x) => {
      expect(() => singularTriplet(x, { method: "lanczos", maxIterations: 1 })).toThrow(/not converged/);
    },
  ],
  "a wrong rank": [1000, (x) => expect(() => spectralNorm(x.reshape([m * n]))).toThrow(/rank/)],
};

test.each(Object.entries(calls))(
  "%s: consumes what it is given, and leaves nothing",
  (name, [times, call]) => {
    const x = arrayOf(Float32Array.from(normal(m, n, 1)), [m, n]);
    const E = arrayOf(Float32Array.from(normal(m, n, 2)), [m, n]);
    for (let i = 0; i < 10; i++) call(x.ref, E);
    // Differentiation that an error ends is jax-js' to clean up, and it does not.
    const ends = name === "an error";
    if (!ends) expect([x.refCount, E.refCount]).toEqual([1, 1]);
    const before = bytes();
    for (let i = 0; i < times; i++) call(x.ref, E);
    if (!ends) expect([x.refCount, E.refCount]).toEqual([1, 1]);
    // A page, where one matrix forgotten in each call would be many.
    if (!ends) expect(bytes() - before).toBeLessThanOrEqual(65536);
  },
);
