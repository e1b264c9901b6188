import { AdjointError } from "../matrix/errors.js";
import { createRandom } from "../numerics/random.js";
import { norm2 } from "../numerics/sums.js";
import { adjointTolerance, type NamedProduct } from "../solve/adjoint.js";
import { timesI } from "./complex-vectors.js";

/**
 * Tries a product on x and on i·x. That the other product is adjoint to it on interleaved vectors does not tell: the
 * conjugation of a vector is real-linear, and its own adjoint.
 *
 * @param parts - numbers in x, and in the product's result
 * @throws AdjointError with the reason "nonlinear"
 *
 * Cost: two products.
 */
export function checkComplexLinear(
  { name, apply }: NamedProduct,
  parts: readonly [from: number, to: number],
  seed: number,
  adjointRtol: number | undefined,
): void {
  const random = createRandom(seed, 1);
  const x = Float64Array.from({ length: parts[0] }, () => random.normal());
  const expected = timesI(apply(x));
  const found = apply(timesI(x));
  const size = norm2(found) + norm2(expected);
  const difference = norm2(found.map((value, j) => value - expected[j]));
  if (difference > adjointTolerance(parts[0], parts[1], adjointRtol) * size)
    throw new AdjointError(
      `operator: ${name} is not linear over the complex numbers: its result for i·x is not i times that for x`,
      "nonlinear",
    );
}
