import * as Plot from "@observablehq/plot";
import { type Figure, legendMarkup } from "../../src/report/figure.js";
import { html } from "../../src/report/markup.js";
import type { ComplexExample } from "../work/complex.js";

interface Cell {
  readonly x: number;
  readonly y: number;
  /** of the largest modulus in its block */
  readonly part: number;
  /** degrees, counterclockwise from the positive real axis */
  readonly phase: number;
}

interface Block {
  readonly label: string;
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
  readonly cells: readonly Cell[];
}

/** The colour of a complex number: its hue is the phase, and the smaller the modulus, the closer it is to the ground. */
const colorOf = (phase: number, part: number) =>
  `color-mix(in oklab, oklch(var(--phase-lightness) 0.15 ${((phase + 385) % 360).toFixed(1)}) ${(100 * part).toFixed(1)}%, var(--surface))`;

const disc = "M0,-6A6,6,0,1,1,0,6A6,6,0,1,1,0,-6Z";

/**
 * A, u, v and u·vᴴ, a cell for each number.
 *
 * @param turn - the angle, in degrees, by which u and v are turned together
 */
export function complexFigure({ rows, cols, entries, ...found }: ComplexExample, turn: number): Figure {
  const [u, v] = [turned(found.u, turn), turned(found.v, turn)];
  const gradient = outer(u, v);
  const sigma = found.sigma[0].toFixed(4);
  return {
    id: "figure-complex",
    title: `A complex ${rows}×${cols} matrix, its first singular vectors and its gradient`,
    description: `Four blocks of coloured cells with arrows: A, u, v and the gradient. The norm is ${sigma}. u and v are turned by ${turn}°; the gradient is not.`,
    caption: html`Every cell is a complex number. Its hue and the direction of its arrow are the phase, the strength of its
colour and the length of its arrow the modulus, relative to the largest of the block. u has a number for each row of A, v one
for each column.`,
    legend: legendMarkup(
      ["1", "i", "−1", "−i"].map((label, k) => ({ label, color: colorOf(90 * k, 1), symbol: disc })),
    ),
    draw: ({ width, narrow }) => {
      const right: [number, number] = narrow ? [0, rows + 3.2] : [cols + 4, 0];
      const blocks = [
        blockOf("A", entries, cols, 0, 0),
        blockOf("u", u, 1, cols + 0.8, 0),
        blockOf("v", v, cols, 0, rows + 1),
        blockOf("u·vᴴ", gradient, cols, ...right),
      ];
      const [across, down] = [
        Math.max(...blocks.map((block) => block.left + block.width)),
        Math.max(...blocks.map((block) => block.top + block.height)),
      ];
      const top = 24;
      const size = Math.min(44, width / across);
      const cells = blocks.flatMap((block) => block.cells);
      return {
        height: top + size * down,
        marginLeft: 0,
        marginRight: width - size * across,
        marginTop: top,
        marginBottom: 0,
        x: { axis: null, domain: [0, across] },
        y: { axis: null, domain: [0, down], reverse: true },
        marks: [
          Plot.rect(cells, {
            x1: (cell: Cell) => cell.x,
            x2: (cell: Cell) => cell.x + 1,
            y1: (cell: Cell) => cell.y,
            y2: (cell: Cell) => cell.y + 1,
            inset: 0.5,
            fill: { value: (cell: Cell) => colorOf(cell.phase, cell.part), scale: null },
            stroke: "var(--rule)",
            strokeWidth: 1,
          }),
          Plot.vector(cells, {
            x: (cell: Cell) => cell.x + 0.5,
            y: (cell: Cell) => cell.y + 0.5,
            // Plot's angles go clockwise from upwards.
            rotate: (cell: Cell) => 90 - cell.phase,
            length: { value: (cell: Cell) => 0.8 * size * cell.part, scale: null },
            anchor: "middle",
            stroke: "var(--ink)",
            strokeWidth: narrow ? 1 : 1.4,
          }),
          Plot.text(blocks, {
            x: "left",
            y: "top",
            text: "label",
            textAnchor: "start",
            lineAnchor: "bottom",
            dy: -6,
            fill: "var(--ink)",
          }),
        ],
      };
    },
  };
}

function blockOf(label: string, numbers: Float64Array, width: number, left: number, top: number): Block {
  const count = numbers.length / 2;
  const moduli = Array.from({ length: count }, (_, k) => Math.hypot(numbers[2 * k], numbers[2 * k + 1]));
  const largest = Math.max(...moduli);
  const cells = moduli.map((modulus, k) => ({
    x: left + (k % width),
    y: top + Math.floor(k / width),
    part: modulus / largest,
    phase: (Math.atan2(numbers[2 * k + 1], numbers[2 * k]) * 180) / Math.PI,
  }));
  return { label, left, top, width, height: count / width, cells };
}

/** e^{iφ}·x */
function turned(x: Float64Array, degrees: number): Float64Array {
  const [cos, sin] = [Math.cos((degrees * Math.PI) / 180), Math.sin((degrees * Math.PI) / 180)];
  return x.map((value, k) => (k % 2 === 0 ? cos * value - sin * x[k + 1] : cos * value + sin * x[k - 1]));
}

/** u·vᴴ */
function outer(u: Float64Array, v: Float64Array): Float64Array {
  const out = new Float64Array((u.length * v.length) / 2);
  let to = 0;
  for (let i = 0; i < u.length; i += 2)
    for (let j = 0; j < v.length; j += 2) {
      out[to++] = u[i] * v[j] + u[i + 1] * v[j + 1];
      out[to++] = u[i + 1] * v[j] - u[i] * v[j + 1];
    }
  return out;
}
