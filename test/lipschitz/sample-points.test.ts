import { describe, expect, it } from "vitest";
import type { NetworkInput, ValueShape } from "../../src/files/network.js";
import type { SampleArray } from "../../src/files/sample-array.js";
import { randomPoints, samplePoints } from "../../src/lipschitz/sample-points.js";
import { complaint } from "../tfjs/setup.js";

const input = (...shape: ValueShape): NetworkInput => ({ name: "x", shape });

/** An array of 0, 1, 2, … that remembers how much of it was read. */
function counted(...shape: number[]): SampleArray & { read: number } {
  const each = shape.slice(1).reduce((product, length) => product * length, 1);
  return {
    shape,
    read: 0,
    leading(count) {
      this.read = count;
      return Float64Array.from({ length: shape.length === 0 ? 1 : count * each }, (_, k) => k);
    },
  };
}

describe("samples for an input", () => {
  it.each([
    // array, input, count, shape of a sample
    [[5, 2, 3], input(2, 3), 5, [2, 3]],
    [[5, 1, 2, 3], input("N", 2, 3), 5, [1, 2, 3]],
    [[5, 4, 2, 3], input("N", 2, 3), 5, [4, 2, 3]],
    [[5, 2, 3], input("N", 2, 3), 5, [1, 2, 3]],
    [[5, 2, 3], input(1, 2, 3), 5, [1, 2, 3]],
    [[1, 2, 3], input(1, 2, 3), 1, [1, 2, 3]],
    [[5, 2, 3], input(5, 2, 3), 1, [5, 2, 3]],
    [[2, 3], input("N", 2, 3), 1, [1, 2, 3]],
    [[2, 3], input(1, 2, 3), 1, [1, 2, 3]],
    [[2, 3], input(2, 3), 1, [2, 3]],
    [[5, 7, 9, 3], input("N", "H", "W", 3), 5, [1, 7, 9, 3]],
    [[7, 9, 3], input("N", "H", "W", 3), 1, [1, 7, 9, 3]],
    [[4, 5, 5], input("N", "s", "s"), 4, [1, 5, 5]],
    [[4, 5, 6], input("N", "", ""), 4, [1, 5, 6]],
    [[6], input(6), 1, [6]],
    [[], input(), 1, []],
    [[3], input(), 3, []],
  ] as const)("%j for %j", (shape, one, count, each) => {
    const found = samplePoints(counted(...shape), one, 64);
    expect(found.shape).toEqual(each);
    expect(found.total).toBe(count);
    expect(found.points.flatMap((point) => [...point])).toEqual(
      Array.from({ length: shape.reduce((product: number, length) => product * length, 1) }, (_, k) => k),
    );
  });

  it("takes an axis of samples before an axis of the batch", () => {
    // Eight samples of one, not one of eight.
    const found = samplePoints(counted(8, 1, 3), input("N", "M", 3), 64);
    expect([found.total, found.shape]).toEqual([8, [1, 1, 3]]);
  });

  it("reads no more than the limit", () => {
    const array = counted(100, 3);
    const found = samplePoints(array, input("N", 3), 10);
    expect([found.points.length, found.total, array.read]).toEqual([10, 100, 10]);
  });

  it.each([
    [[5, 2, 4], input("N", 2, 3), /holds 5×2×4; the input "x" is \[N, 2, 3\]/],
    [[2, 2, 3], input(5, 2, 3), /\[count, 5, 2, 3\]/],
    [[3], input(2, 3), /a vector of 3/],
    [[4, 5, 6], input("N", "s", "s"), /\[N, s, s\]/],
    [[2, 3], { name: "x", shape: undefined }, /--input/],
  ] as const)("refuses %j for %j", (shape, one, expected) => {
    const error = complaint(() => samplePoints(counted(...shape), one, 64));
    expect([error.code, error.message]).toEqual(["ERR_FILE", expect.stringMatching(expected)]);
  });
});

describe("random samples", () => {
  it("are the same at each call, differ, and have the variance 1", () => {
    const [found, again] = [0, 1].map(() => randomPoints(input("N", 50, 40), 3));
    expect(found).toEqual(again);
    expect(found.shape).toEqual([1, 50, 40]);
    expect(found.points[0]).not.toEqual(found.points[1]);
    for (const point of found.points) {
      const mean = point.reduce((sum, x) => sum + x, 0) / 2000;
      const variance = point.reduce((sum, x) => sum + x * x, 0) / 2000;
      // Six standard deviations: of the mean 1/√2000, of the variance √(2/2000).
      expect(Math.abs(mean)).toBeLessThan(6 / Math.sqrt(2000));
      expect(Math.abs(variance - 1)).toBeLessThan(6 * Math.sqrt(2 / 2000));
    }
  });

  it.each([
    [input("N", "H", 3), /which the model leaves open: \[N, H, 3\]; say it with --input/],
    [{ name: "x", shape: undefined }, /shape of the input "x"; say it with --input/],
    [input(2 ** 20, 2 ** 20), /more than/],
  ] as const)("need a shape: %j", (one, expected) => {
    expect(complaint(() => randomPoints(one, 2)).message).toMatch(expected);
  });
});
