import { describe, expectTypeOf, it } from "vitest";
import {
  adjointOf,
  type ComplexNumber,
  complexMatrix,
  csr,
  diagonal,
  hessianVectorProduct,
  type LinearOperator,
  lowRank,
  rowPanels,
  scaled,
  singularTriplet,
  singularTriplets,
  spectralNorm,
  spectralNormBatch,
  valueAndGrad,
  valueAndGradBatch,
  valueAndParameterGrad,
} from "../../src/index.js";

const doubles: Float64Array = Float64Array.of(3, 4);
const singles: Float32Array = Float32Array.of(3, 4);
const shape: [number, number] = [1, 1];

describe("types of complex matrices", () => {
  it("the arrays of the answer are those of the data", () => {
    expectTypeOf(
      singularTriplet({ data: doubles, shape, dtype: "complex128" as const }).u,
    ).toEqualTypeOf<Float64Array>();
    expectTypeOf(
      singularTriplet({ data: singles, shape, dtype: "complex64" as const }).v,
    ).toEqualTypeOf<Float32Array>();
    expectTypeOf(valueAndGrad({ data: singles, shape, dtype: "c8" }).grad.data).toEqualTypeOf<Float32Array>();
    expectTypeOf(valueAndGrad(complexMatrix(doubles, shape)).grad.data).toEqualTypeOf<Float64Array>();
    expectTypeOf(valueAndGrad(complexMatrix(singles, shape)).grad.dtype).toEqualTypeOf<
      "complex64" | "complex128" | undefined
    >();
    expectTypeOf(
      singularTriplets(complexMatrix(doubles, shape), { k: 1 }).u.data,
    ).toEqualTypeOf<Float64Array>();
    const A = complexMatrix(singles, shape);
    expectTypeOf(hessianVectorProduct(A, A).data).toEqualTypeOf<Float32Array>();
    const batch = { data: singles, shape: [1, 1, 1], dtype: "complex64" } as const;
    expectTypeOf(valueAndGradBatch(batch).grads.data).toEqualTypeOf<Float32Array>();
  });

  it("plain arrays and nested rows are taken", () => {
    const z = { re: 3, im: 4 };
    expectTypeOf(
      singularTriplet([
        [z, 1],
        [0, z],
      ]).u,
    ).toEqualTypeOf<Float64Array>();
    expectTypeOf(singularTriplet([[z]]).u).toEqualTypeOf<Float64Array>();
    const rows: readonly (readonly ComplexNumber[])[] = [[z]];
    expectTypeOf(spectralNorm(rows)).toEqualTypeOf<number>();
    expectTypeOf(spectralNormBatch([[[z]], [[1]]])).toEqualTypeOf<Float64Array>();
    expectTypeOf(
      singularTriplet({ data: [3, 4], shape, dtype: "complex128" as const }).u,
    ).toEqualTypeOf<Float64Array>();
    expectTypeOf(
      singularTriplet({ data: [3, 4], shape, dtype: "complex64" as const }).u,
    ).toEqualTypeOf<Float32Array>();
    expectTypeOf(
      singularTriplet({ data: [z], shape, dtype: "complex128" as const }).u,
    ).toEqualTypeOf<Float64Array>();
    // @ts-expect-error a pair of numbers is no complex number
    expectTypeOf(() => spectralNorm([[[3, 4]]])).toBeFunction();
    // @ts-expect-error a part is missing
    expectTypeOf(() => spectralNorm([[{ re: 3 }]])).toBeFunction();
  });

  it("sparse matrices, panels and operators", () => {
    const sparse = csr({ data: singles, dtype: "complex64", indices: [0], indptr: [0, 1], shape });
    expectTypeOf(singularTriplet(sparse).u).toEqualTypeOf<Float32Array>();
    const panels = rowPanels({ shape, dtype: "complex128", rows: () => doubles });
    expectTypeOf(singularTriplet(panels).u).toEqualTypeOf<Float64Array>();
    expectTypeOf(
      singularTriplet(rowPanels({ shape, dtype: "complex64", rows: () => singles })).u,
    ).toEqualTypeOf<Float32Array>();
    // @ts-expect-error complex64 comes in a Float32Array
    expectTypeOf(() => rowPanels({ shape, dtype: "complex64", rows: () => doubles })).toBeFunction();
    const operator: LinearOperator = {
      ...{ shape, dtype: "complex128" },
      matvec: (x, out) => out.set(x),
      rmatvec: (y, out) => out.set(y),
    };
    expectTypeOf(spectralNorm(operator)).toEqualTypeOf<number>();
    expectTypeOf(spectralNorm(scaled(adjointOf(operator), { re: 0, im: 1 }))).toEqualTypeOf<number>();
    expectTypeOf(diagonal([{ re: 0, im: 1 }]).shape).toEqualTypeOf<readonly [number, number]>();
    expectTypeOf(diagonal({ data: doubles, dtype: "complex128" }).shape).toEqualTypeOf<
      readonly [number, number]
    >();
  });

  it("low-rank updates", () => {
    const z = [[{ re: 3, im: 4 }]];
    expectTypeOf(valueAndParameterGrad(lowRank({ B: z, A: z })).grad.scale).toEqualTypeOf<number>();
    expectTypeOf(valueAndParameterGrad(lowRank({ B: z, A: z, scale: 2 })).grad.scale).toEqualTypeOf<number>();
    const turned = lowRank({ B: z, A: z, scale: { re: 0, im: 1 } });
    expectTypeOf(valueAndParameterGrad(turned).grad.scale).toEqualTypeOf<ComplexNumber>();
  });
});
