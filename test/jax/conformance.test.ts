import { type Array as JaxArray, valueAndGrad } from "@jax-js/jax";
import { beforeAll, describe } from "vitest";
import { spectralNorm } from "../../src/jax/index.js";
import { conformance } from "../adapters/conformance.js";
import { arrayOf, numbers, startWasm } from "./setup.js";

// Its own file: setup.ts prepares the globals that jax-js looks at.
describe("jax-js on wasm", () => {
  beforeAll(startWasm);

  for (const [name, epsilon, Type] of [
    ["float64", 2 ** -52, Float64Array],
    ["float32", 2 ** -23, Float32Array],
  ] as const)
    conformance({
      name: `spectralNorm, ${name}`,
      epsilon,
      valueAndGrad(data, shape) {
        const x = arrayOf(Type.from(data), shape);
        const [value, grad] = valueAndGrad((a: JaxArray) => spectralNorm(a))(x);
        return { value: numbers(value)[0], grad: numbers(grad) };
      },
    });
});
