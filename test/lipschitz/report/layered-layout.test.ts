import { describe, expect, it } from "vitest";
import {
  type Box,
  type LayeredLayout,
  layeredLayout,
  type Point,
} from "../../../src/lipschitz/report/layered-layout.js";
import { createRandom } from "../../../src/numerics/random.js";

const box = (...before: number[]): Box => ({ width: 100, height: 40, before });
const many = Number.POSITIVE_INFINITY;

/** Boxes that take something from up to three before them, not all of one size. */
function randomBoxes(seed: number): Box[] {
  const random = createRandom(seed);
  const pick = (count: number) => Math.floor(random.uniform() * count);
  const count = 2 + pick(40);
  return Array.from({ length: count }, (_, k) => ({
    width: 60 + pick(100),
    height: 20 + pick(40),
    before: k === 0 ? [] : [...new Set(Array.from({ length: pick(4) }, () => pick(k)))],
  }));
}

const same = (one: Point, other: Point) => Math.hypot(one.x - other.x, one.y - other.y) < 1e-6;

/** The boxes that can be reached along the segments from the lower middle of a box. */
function reached(
  boxes: readonly Box[],
  { boxes: corners, segments }: LayeredLayout,
  from: number,
): Set<number> {
  const start = { x: corners[from].x + boxes[from].width / 2, y: corners[from].y + boxes[from].height };
  const found = new Set<number>();
  const todo = [start];
  for (let at = todo.pop(); at; at = todo.pop()) {
    for (const { from: begin, to, arrow } of segments) {
      if (!same(begin, at)) continue;
      if (!arrow) todo.push(to);
      else
        found.add(
          corners.findIndex((corner, k) => same({ x: corner.x + boxes[k].width / 2, y: corner.y }, to)),
        );
    }
  }
  return found;
}

const seeds = Array.from({ length: 60 }, (_, seed) => seed);

describe("a drawing in layers", () => {
  it("leads from each box to those that take something from it, and to no other", () => {
    for (const seed of seeds) {
      const boxes = randomBoxes(seed);
      const layout = layeredLayout(boxes, many)!;
      for (const from of boxes.keys()) {
        const expected = [...boxes.keys()].filter((k) => boxes[k].before.includes(from));
        expect(
          [...reached(boxes, layout, from)].sort((a, b) => a - b),
          `seed ${seed}`,
        ).toEqual(expected);
      }
    }
  });

  it("has boxes that do not overlap, inside its size, and edges that run downwards", () => {
    for (const seed of seeds) {
      const boxes = randomBoxes(seed);
      const { boxes: corners, segments, width, height } = layeredLayout(boxes, many)!;
      for (const [k, { x, y }] of corners.entries()) {
        expect(x).toBeGreaterThanOrEqual(-1e-6);
        expect(y).toBeGreaterThanOrEqual(0);
        expect(x + boxes[k].width).toBeLessThanOrEqual(width + 1e-6);
        expect(y + boxes[k].height).toBeLessThanOrEqual(height + 1e-6);
        for (let j = 0; j < k; j++) {
          const apart =
            corners[j].y + boxes[j].height <= y ||
            y + boxes[k].height <= corners[j].y ||
            corners[j].x + boxes[j].width <= x + 1e-6 ||
            x + boxes[k].width <= corners[j].x + 1e-6;
          expect(apart, `seed ${seed}, boxes ${j} and ${k}`).toBe(true);
        }
      }
      for (const { from, to } of segments) expect(to.y).toBeGreaterThan(from.y);
    }
  });

  it("has edges that cross no box where they pass a layer", () => {
    for (const seed of seeds) {
      const boxes = randomBoxes(seed);
      const { boxes: corners, segments } = layeredLayout(boxes, many)!;
      for (const { from, to, arrow } of segments.filter((one) => !one.arrow && one.from.x === one.to.x)) {
        expect(arrow).toBe(false);
        for (const [k, { x, y }] of corners.entries()) {
          const beside = from.x < x || from.x > x + boxes[k].width;
          const apart = to.y <= y || from.y >= y + boxes[k].height;
          expect(beside || apart, `seed ${seed}, box ${k}`).toBe(true);
        }
      }
    }
  });

  it("draws a chain as a straight line", () => {
    const { boxes, segments } = layeredLayout([box(), box(0), box(1), box(2)], many)!;
    expect(new Set(boxes.map(({ x }) => Math.round(x))).size).toBe(1);
    for (const { from, to } of segments) expect(Math.abs(from.x - to.x)).toBeLessThan(1e-6);
  });

  it("leads an edge around the boxes that it skips", () => {
    const { boxes, segments } = layeredLayout([box(), box(0), box(1), box(0, 2)], many)!;
    const passing = segments.filter(({ arrow }) => !arrow);
    expect(passing.length).toBeGreaterThan(0);
    for (const { from } of passing.filter(({ from, to }) => from.x === to.x))
      expect(from.x < boxes[1].x || from.x > boxes[1].x + 100).toBe(true);
  });

  it("places an input just above its first use", () => {
    const { boxes } = layeredLayout([box(), box(0), box(1), box(), box(2, 3)], many)!;
    expect(boxes[3].y).toBe(boxes[2].y);
  });

  it("gives up beyond the number of places that is allowed, before it takes the memory", () => {
    expect(layeredLayout([], many)).toBeUndefined();
    expect(layeredLayout([box(), box(0)], 1)).toBeUndefined();
    // All of them are taken by the last: ten billion places.
    const comb = Array.from({ length: 100_000 }, (_, k) => box(...(k === 0 ? [] : [k - 1])));
    comb.push(box(...comb.keys()));
    expect(layeredLayout(comb, 150_000)).toBeUndefined();
  });
});
