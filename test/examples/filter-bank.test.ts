import { describe, expect, it } from "vitest";
import { daubechies, echo, hannWindow, sineWindow, windowed } from "../../examples/filter-bank/banks.js";
import { lowerFrameBound, polyphase, upperFrameBound } from "../../examples/filter-bank/filter-bank.js";
import { svdvals } from "../../src/index.js";

const EPSILON = 2 ** -53;

describe("the frame bounds", () => {
  it.each([
    ["of an orthonormal bank", daubechies(), 1, 1],
    ["of an echo", echo(0.5, 1), 2.25, 0.25],
    ["of a tight bank, 16 channels", windowed("sine", sineWindow(16), 16, 8), 1, 1],
    ["of a Hann window, 16 channels", windowed("Hann", hannWindow(16), 16, 8), 1, 0.5],
    ["of a Hann window, 4 samples apart", windowed("Hann", hannWindow(16), 16, 4), 1.5, 1.5],
    ["of a bank that loses samples", windowed("short", [1, 1], 4, 3), 1, 0],
  ])("%s are those of the closed form", (_, { bank, upper, lower }, most, least) => {
    expect(upper).toBeCloseTo(most, 14);
    expect(lower).toBeCloseTo(least, 14);
    // Some 16 roundings in each entry, and those of σ₁².
    expect(Math.abs(upperFrameBound(bank).bound / upper - 1)).toBeLessThan(64 * EPSILON);
    // On a grid of 64 points, at most π/64 beside the minimum: (1 − r)² rises by r·(π/64)² at most.
    const found = lowerFrameBound(bank);
    expect(found).toBeGreaterThan(lower - 1e-14);
    expect(found).toBeLessThan(lower + (Math.PI / 64) ** 2);
  });

  it.each([-3, -1, 0.1, 2, Math.PI])("of an echo are reached at its phase, %f", (phi) => {
    const { omega } = upperFrameBound(echo(0.5, phi).bank);
    expect(Math.abs(Math.cos(omega - phi) - 1)).toBeLessThan(1e-14);
  });
});

it("the polyphase matrix of an orthonormal bank is unitary at every frequency", () => {
  const response = polyphase(daubechies().bank);
  for (const omega of [-3, -0.5, 0, 1, 2])
    for (const sigma of svdvals(response(omega).matrix)) expect(Math.abs(sigma - 1)).toBeLessThan(1e-14);
});

it("no bound is below the energy that a signal gains", () => {
  const { bank, upper } = windowed("Hann", hannWindow(8), 8, 4);
  const signal = Float64Array.from({ length: 64 }, (_, n) => Math.sin(n * n));
  const energy = signal.reduce((sum, x) => sum + x * x, 0);
  let gained = 0;
  // A filter at each position that reaches the signal.
  for (const taps of bank.filters)
    for (let at = -8; at < 64; at += bank.decimation) {
      let [re, im] = [0, 0];
      for (let n = 0; n < taps.length / 2; n++) {
        const x = signal[at + n] ?? 0;
        re += taps[2 * n] * x;
        im += taps[2 * n + 1] * x;
      }
      gained += re * re + im * im;
    }
  expect(gained).toBeGreaterThan(0.5 * energy);
  expect(gained).toBeLessThan(upper * energy * (1 + 1e-14));
});
