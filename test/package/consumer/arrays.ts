import { defaultDevice, grad, init, type Array as JaxArray, numpy as np } from "@jax-js/jax";
import { singularTriplet, spectralNorm, svdvals, valueAndGrad } from "spectral-norm/jax";

await init("wasm");
defaultDevice("wasm");
const A = () =>
  np.array([
    [3, 0],
    [0, 4],
  ]);
const numbers = async (x: JaxArray): Promise<number[]> => Array.from(await x.data());

const { sigma, u, v } = singularTriplet(A());
u.dispose();
v.dispose();
const both = valueAndGrad(A());

export const results = {
  values: [
    ...(await numbers(spectralNorm(A()))),
    ...(await numbers(sigma)),
    ...(await numbers(svdvals(A()))).slice(0, 1),
    ...(await numbers(both.value)),
  ],
  gradients: [await numbers(grad((x: JaxArray) => spectralNorm(x))(A())), await numbers(both.grad)],
};
