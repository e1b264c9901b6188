import { describe, expect, it } from "vitest";
import {
  csr,
  hessianVectorProduct,
  type MatrixOrOperator,
  type SingularTriplet,
  singularTriplet,
  tripletVjp,
} from "../../src/index.js";
import { normalMatrix, withSpectrum } from "../matrices.js";
import { expectRefusal } from "../refusal.js";

const E = normalMatrix(90, 80, 2);

/** Every function that takes a triplet. */
const uses = (A: MatrixOrOperator, triplet: SingularTriplet): [string, () => unknown][] => [
  ["hessianVectorProduct", () => hessianVectorProduct(A, E, { triplet })],
  ["tripletVjp of u", () => tripletVjp(A, triplet, { u: new Float64Array(90).fill(1) })],
  ["tripletVjp of σ", () => tripletVjp(A, triplet, { sigma: 1 })],
];

describe.each([Float64Array, Float32Array])("a triplet that is handed over, %o", (Type) => {
  const made = (seed: number, spectrum = (i: number) => 0.9 ** i) => ({
    data: Type.from(withSpectrum(90, 80, spectrum, seed).data),
    shape: [90, 80] as [number, number],
  });
  const A = made(1);

  it("is taken where it is A's, in whatever form A comes", () => {
    const indptr = Array.from({ length: 91 }, (_, i) => 80 * i);
    const indices = Array.from(A.data, (_, k) => k % 80);
    const sparse = csr({ data: A.data, indices, indptr, shape: [90, 80] });
    for (const form of [A, sparse, { shape: sparse.shape, matvec: sparse.matvec, rmatvec: sparse.rmatvec }])
      for (const options of [
        {},
        { rtol: 1e-2 },
        { method: "dense" as const },
        { method: "power" as const },
      ]) {
        const triplet = singularTriplet(form, options);
        expect(triplet.converged).toBe(true);
        for (const [name, use] of uses(form, triplet)) expect(use, name).not.toThrow();
      }
  });

  it("is refused where it is not converged", () => {
    const triplet = singularTriplet(
      made(3, (i) => 1 - i / 200),
      { maxIterations: 2 },
    );
    expect(triplet.converged).toBe(false);
    for (const [, use] of uses(
      made(3, (i) => 1 - i / 200),
      triplet,
    ))
      expectRefusal(use, "ERR_NOT_CONVERGED", "triplet", "converged");
  });

  it("is refused where it is that of another matrix, and not blamed on a tie", () => {
    for (const other of [made(4), made(5, () => 1), { ...A, data: A.data.map((x) => -x) }])
      for (const [, use] of uses(A, singularTriplet(other))) expectRefusal(use, "ERR_TRIPLET", "triplet");
  });

  it("is refused where A has been updated since", () => {
    const triplet = singularTriplet(A);
    const step = Type === Float32Array ? 1e-5 : 1e-12;
    const updated = { ...A, data: A.data.map((x, k) => x + step * E.data[k]) };
    for (const [, use] of uses(updated, triplet)) expectRefusal(use, "ERR_TRIPLET", "changed");
    for (const factor of [2, 1.001]) {
      const scaled = { ...A, data: A.data.map((x) => factor * x) };
      for (const [, use] of uses(scaled, triplet)) expectRefusal(use, "ERR_TRIPLET");
    }
  });

  it("is refused where its vectors are not unit vectors, or not numbers", () => {
    const { u, v, ...rest } = singularTriplet(A);
    for (const [name, x] of [
      ["u", u.map((value) => 2 * value)],
      ["v", v.map(() => 0)],
      ["u", u.map(() => Number.NaN)],
    ] as const)
      for (const [, use] of uses(A, { ...rest, u, v, [name]: x })) expectRefusal(use, "ERR_TRIPLET", name);
    for (const [, use] of uses(A, { ...rest, u, v, sigma: Number.NaN })) expectRefusal(use, "ERR_TRIPLET");
  });

  it("is refused for second derivatives where it belongs to a smaller singular value", () => {
    for (const [m, n] of [
      [90, 80],
      [30, 20],
    ]) {
      const known = withSpectrum(m, n, (i) => 0.5 ** i, 6);
      const B = { data: Type.from(known.data), shape: [m, n] };
      const first = singularTriplet(B);
      // σ₁·u₁·v₁ᵀ taken out, the second comes first.
      const rest = Float64Array.from(
        B.data,
        (x, k) => x - first.sigma * first.u[Math.floor(k / n)] * first.v[k % n],
      );
      const second = singularTriplet({ data: Type.from(rest), shape: [m, n] });
      // In float32 what was taken out has been rounded.
      const triplet = {
        ...second,
        residual: Math.max(second.residual, Type === Float32Array ? 1e-6 : 1e-14),
      };
      expectRefusal(
        () => hessianVectorProduct(B, normalMatrix(m, n, 7), { triplet }),
        "ERR_TRIPLET",
        "largest singular value",
      );
    }
  });
});
