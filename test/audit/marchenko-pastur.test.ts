import { describe, expect, it } from "vitest";
import { bulkQuantile, bulkShare, fitBulk } from "../../src/audit/marchenko-pastur.js";
import { svdvals } from "../../src/index.js";
import { createRandom } from "../../src/numerics/random.js";
import { normalMatrix } from "../matrices.js";

/** The density of Marchenko and Pastur, as it is written. */
function density(x: number, beta: number): number {
  const [low, high] = [(1 - Math.sqrt(beta)) ** 2, (1 + Math.sqrt(beta)) ** 2];
  return x > low && x < high ? Math.sqrt((high - x) * (x - low)) / (2 * Math.PI * beta * x) : 0;
}

/** λ = σ² of A, descending. */
const eigenvaluesOf = (data: Float64Array, m: number, n: number) =>
  svdvals({ data, shape: [m, n] }).map((sigma) => sigma * sigma);

/** A with `strengths.length` random directions added, each of that many times √(N·M). */
function planted(m: number, n: number, strengths: readonly number[], seed: number): Float64Array {
  const random = createRandom(seed);
  const normal = (count: number) => Float64Array.from({ length: count }, () => random.normal());
  const data = normal(m * n);
  for (const strength of strengths) {
    const [u, v] = [normal(m), normal(n)];
    for (let i = 0; i < m; i++) for (let j = 0; j < n; j++) data[i * n + j] += strength * u[i] * v[j];
  }
  return data;
}

describe("the distribution of Marchenko and Pastur", () => {
  it.each([1, 0.9, 0.5, 0.1, 0.01])("has the integral of its density, β = %d", (beta) => {
    const [low, high] = [(1 - Math.sqrt(beta)) ** 2, (1 + Math.sqrt(beta)) ** 2];
    for (const part of [0.2, 0.5, 0.8]) {
      const x = low + part * (high - low);
      // From the upper end down, where the density is bounded; the middles of 2·10⁵ intervals.
      const steps = 2e5;
      const width = (high - x) / steps;
      let above = 0;
      for (let k = 0; k < steps; k++) above += density(x + (k + 0.5) * width, beta) * width;
      expect(Math.abs(1 - above - bulkShare(x, beta))).toBeLessThan(1e-6);
    }
    expect([bulkShare(low - 1e-9, beta), bulkShare(high + 1e-9, beta)]).toEqual([0, 1]);
  });

  it("has quantiles that are its inverse", () => {
    for (const beta of [1, 0.7, 0.2, 1e-3, 1e-6])
      for (const share of [0.01, 0.3, 0.5, 0.99])
        expect(bulkShare(bulkQuantile(share, beta), beta)).toBeCloseTo(share, 8);
    // The median for β = 1, in Gavish & Donoho's table.
    expect(bulkQuantile(0.5, 1)).toBeCloseTo(0.6528, 4);
  });
});

describe("the bulk of a matrix of independent entries", () => {
  it.each([
    [400, 100],
    [300, 200],
    [200, 200],
    [1000, 50],
  ])("%d×%d has its edge, and no spikes", (m, n) => {
    let spikes = 0;
    for (let seed = 1; seed <= 10; seed++) {
      const bulk = fitBulk(eigenvaluesOf(normalMatrix(m, n, seed).data, m, n), m);
      const edge = (Math.sqrt(m) + Math.sqrt(n)) ** 2;
      expect(Math.abs((bulk?.edge ?? 0) / edge - 1)).toBeLessThan(n < 100 || m === n ? 0.07 : 0.05);
      spikes += bulk?.spikes ?? 1;
    }
    // Of large matrices one in a hundred; of small ones a few, since their variance is an estimate.
    expect(spikes).toBeLessThanOrEqual(2);
  });

  it.each([1, 3, 10, 25])("with %d planted directions has so many spikes", (count) => {
    let wrong = 0;
    for (let seed = 1; seed <= 6; seed++) {
      const [m, n] = [400, 200];
      const data = planted(
        m,
        n,
        Array.from({ length: count }, (_, k) => 0.4 + 0.02 * k),
        seed,
      );
      const bulk = fitBulk(eigenvaluesOf(data, m, n), m);
      if (bulk?.spikes !== count) wrong++;
      const edge = (Math.sqrt(m - count) + Math.sqrt(n - count)) ** 2;
      expect(Math.abs((bulk?.edge ?? 0) / edge - 1)).toBeLessThan(0.06);
    }
    expect(wrong).toBeLessThanOrEqual(1);
  });

  it("scales with the eigenvalues, and is the same of a transposed matrix", () => {
    const values = eigenvaluesOf(planted(60, 40, [1], 3), 60, 40);
    const bulk = fitBulk(values, 60);
    const scaled = fitBulk(
      values.map((value) => value * 2 ** -30),
      60,
    );
    expect(scaled?.edge).toBe((bulk?.edge ?? 0) * 2 ** -30);
    expect(scaled?.spikes).toBe(bulk?.spikes);
  });

  it("of complex entries ends at the same place, with smaller fluctuations", () => {
    const random = createRandom(9);
    const [m, n] = [120, 60];
    const data = Float64Array.from({ length: 2 * m * n }, () => random.normal() / Math.SQRT2);
    const values = svdvals({ data, shape: [m, n], dtype: "complex128" }).map((sigma) => sigma * sigma);
    const bulk = fitBulk(values, m, "complex");
    const edge = (Math.sqrt(m) + Math.sqrt(n)) ** 2;
    expect(Math.abs((bulk?.edge ?? 0) / edge - 1)).toBeLessThan(0.06);
    expect(bulk?.spikes).toBe(0);
    const real = fitBulk(values, m);
    expect((bulk?.spikeEdge ?? 0) / (bulk?.edge ?? 1)).toBeLessThan(
      (real?.spikeEdge ?? 0) / (real?.edge ?? 1),
    );
  });

  it("is none where too many values are zero", () => {
    expect(fitBulk(new Float64Array(20), 20)).toBeUndefined();
    expect(
      fitBulk(
        Float64Array.from({ length: 20 }, (_, i) => (i < 8 ? 1 : 0)),
        30,
      ),
    ).toBeUndefined();
    expect(
      fitBulk(
        Float64Array.from({ length: 20 }, (_, i) => (i < 11 ? 1000 >> i : 0)),
        30,
      ),
    ).toBeUndefined();
  });
});
