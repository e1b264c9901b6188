import { describe, expect, it } from "vitest";
import type { Adversary } from "../../robustness/adversary.js";
import { adversaries } from "../../robustness/cases.js";
import { nuclearNorm } from "../../robustness/jacobi.js";
import { judgeGradient, judgeValue, standards } from "../../robustness/judge.js";

const byName = (name: string) => adversaries.find((one) => one.name === name) as Adversary;

describe("a judge", () => {
  const of = byName("v₁ ⟂ ones, 16×16");
  const standard = standards.float64;
  const { u, v } = of.truth;
  const outer = (x: Float64Array, y: Float64Array) =>
    Float64Array.from([...x].flatMap((a) => [...y].map((b) => a * b)));

  it("tells right from inaccurate, wrong, NaN and error", () => {
    const value = (found: number, warned = false) => judgeValue(of, { value: found, warned }, standard, 0);
    expect(value(1 + 1e-12)).toEqual({ grade: "right" });
    expect(value(1 - 1e-4)).toMatchObject({ grade: "inaccurate" });
    expect(value(1 - 1e-4, true)).toMatchObject({ grade: "inaccurate, with a warning" });
    expect(value(0.5)).toEqual({ grade: "silently wrong", error: 0.5 });
    expect(value(Number.NaN)).toEqual({ grade: "NaN" });
    expect(value(Number.POSITIVE_INFINITY)).toEqual({ grade: "NaN" });
    expect(judgeValue(of, { fails: "error", why: "" }, standard, 0)).toEqual({ grade: "error" });
    expect(judgeValue(of, { value: 0.9, upper: 0.99 }, standard, 0).grade).toBe("silently wrong");
    expect(judgeValue(of, { value: 0.9, upper: 1.1 }, standard, 0).grade).toBe("right");
  });

  it("knows the gradient, its negative and another", () => {
    const gradient = (G: Float64Array) => judgeGradient(of, { value: 1, gradient: G }, standard, 0)?.grade;
    expect(gradient(outer(u!, v!))).toBe("right");
    expect(gradient(outer(u!, v!).map((x) => -x))).toBe("silently wrong");
    expect(gradient(outer(u!, v!).map((x) => 1.001 * x))).toBe("inaccurate");
    expect(gradient(new Float64Array(256))).toBe("silently wrong");
    expect(gradient(new Float64Array(256).fill(Number.NaN))).toBe("NaN");
  });

  it("takes any subgradient at a tie, and nothing else", () => {
    const tied = byName("tie of all, 16×16");
    const gradient = (G: ArrayLike<number>) =>
      judgeGradient(tied, { value: 1, gradient: G }, standard, 0)?.grade;
    // The tied matrix is orthogonal: itself over 16 is the mean of its subgradients.
    expect(gradient(tied.entries.map((x) => x / 16))).toBe("right");
    expect(gradient(tied.entries)).toBe("silently wrong");
    expect(nuclearNorm(tied.entries, 16, 16)).toBeCloseTo(16, 12);
  });

  it("wants a refusal of what is no number", () => {
    const bad = byName("NaN in the last entry, 4×3");
    expect(judgeValue(bad, { fails: "error", why: "" }, standard, 0).grade).toBe("right");
    expect(judgeValue(bad, { value: Number.NaN }, standard, 0).grade).toBe("right");
    expect(judgeValue(bad, { value: 2.8 }, standard, 0).grade).toBe("silently wrong");
  });
});
