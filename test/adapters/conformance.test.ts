import {
  setBackend,
  type Tensor2D,
  tensor2d,
  valueAndGrad as tfValueAndGrad,
  tidy,
} from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-backend-cpu";
import "@tensorflow/tfjs-backend-wasm";
import { beforeAll, describe } from "vitest";
import { valueAndGrad } from "../../src/index.js";
import { spectralNorm } from "../../src/tfjs/index.js";
import { conformance } from "./conformance.js";

conformance({
  name: "core, float64",
  epsilon: 2 ** -52,
  valueAndGrad(data, shape) {
    const { value, grad } = valueAndGrad({ data, shape });
    return { value, grad: grad.data };
  },
});

conformance({
  name: "core, float32",
  epsilon: 2 ** -23,
  valueAndGrad(data, shape) {
    const { value, grad } = valueAndGrad({ data: Float32Array.from(data), shape });
    return { value, grad: grad.data };
  },
});

describe.each(["cpu", "wasm"])("TensorFlow.js on %s", (backend) => {
  beforeAll(async () => {
    await setBackend(backend);
  });
  conformance({
    name: "spectralNorm",
    epsilon: 2 ** -23,
    valueAndGrad: (data, shape) =>
      tidy(() => {
        const x: Tensor2D = tensor2d(Float32Array.from(data), shape);
        const { value, grad } = tfValueAndGrad((a) => spectralNorm(a))(x);
        return { value: value.dataSync()[0], grad: grad.dataSync().slice() };
      }),
  });
});
