import type { RenderFunction } from "@observablehq/plot";
import type { Figure } from "../../src/report/figure.js";
import { html } from "../../src/report/markup.js";
import { type Images, pick, SIDE } from "./digits.js";
import type { Result } from "./experiment.js";
import { colorOf } from "./series.js";

/** Shades of ink that a picture is drawn in. */
const SHADES = 8;
const SVG = "http://www.w3.org/2000/svg";

/** Digits as they are, and after the change that turns each network. */
export function digitsFigure({ networks, originals }: Result): Figure {
  // The plain network and the first normalized one: the third would be more of the same.
  const shown = networks.slice(0, 2);
  return {
    id: "digits",
    title: "What it takes to be taken for another digit",
    description: shown
      .map(({ name, pictures }) => `${name}: lengths ${[...pictures.lengths].map(lengthText).join(", ")}`)
      .join("; "),
    caption: html`Above, a digit of each class as it is. Below, the same digits after the shortest perturbation found that a network takes
for another digit: which one, and the length ε. Drawn in ${SHADES} shades.`,
    draw: ({ width, narrow }) => {
      const columns = Math.min(originals.count, narrow ? 5 : 10);
      const places = Array.from({ length: columns }, (_, i) =>
        Math.floor((i * originals.count) / Math.max(columns, 1)),
      );
      const cell = (width - 8) / Math.max(columns, 1);
      const size = cell * 0.86;
      const rowHeight = size + 52;
      const rows = [
        {
          name: "as it is",
          color: "var(--ink)",
          images: originals,
          text: (i: number) => String(originals.labels[i]),
        },
        ...shown.map((network) => ({
          name: network.name,
          color: colorOf(networks, network),
          images: network.pictures.images,
          text: (i: number) => `${network.pictures.taken[i]}, ε ${lengthText(network.pictures.lengths[i])}`,
        })),
      ];
      const render: RenderFunction = (_index, _scales, _values, _dimensions, context) => {
        const { document } = context as unknown as { document: Document };
        const group = document.createElementNS(SVG, "g");
        const text = (content: string, x: number, y: number, attributes: Record<string, string>) => {
          const element = document.createElementNS(SVG, "text");
          element.textContent = content;
          setAll(element, { x: x.toFixed(1), y: y.toFixed(1), ...attributes });
          group.append(element);
        };
        rows.forEach((row, r) => {
          const top = r * rowHeight + 20;
          text(row.name, 4, top - 5, { fill: row.color, "font-weight": "650", "text-anchor": "start" });
          places.forEach((place, c) => {
            const left = 4 + c * cell;
            const picture = document.createElementNS(SVG, "g");
            const scale = (size / SIDE).toFixed(4);
            setAll(picture, {
              transform: `translate(${left.toFixed(1)},${(top + 3).toFixed(1)}) scale(${scale})`,
            });
            const frame = document.createElementNS(SVG, "rect");
            setAll(frame, {
              width: String(SIDE),
              height: String(SIDE),
              fill: "none",
              stroke: "var(--rule)",
              "stroke-width": "0.4",
            });
            picture.append(frame);
            shadesOf(pick(row.images, [place])).forEach((d, shade) => {
              const path = document.createElementNS(SVG, "path");
              setAll(path, { d, fill: "var(--ink)", "fill-opacity": ((shade + 1) / SHADES).toFixed(3) });
              if (d !== "") picture.append(path);
            });
            group.append(picture);
            text(row.text(place), left + size / 2, top + size + 19, {
              fill: row.color,
              "text-anchor": "middle",
            });
          });
        });
        return group as unknown as SVGElement;
      };
      return { height: Math.ceil(rows.length * rowHeight), margin: 0, axis: null, marks: [render] };
    },
  };
}

/** A path for each shade above none, of runs of pixels along the rows. */
function shadesOf({ pixels }: Images): string[] {
  const paths = Array<string>(SHADES).fill("");
  const shadeAt = (x: number, y: number) => (x < SIDE ? Math.round(pixels[y * SIDE + x] * SHADES) : -1);
  for (let y = 0; y < SIDE; y++) {
    for (let begin = 0, x = 1; x <= SIDE; x++) {
      const shade = shadeAt(begin, y);
      if (shadeAt(x, y) === shade) continue;
      if (shade > 0) paths[shade - 1] += `M${begin} ${y}h${x - begin}v1h${begin - x}z`;
      begin = x;
    }
  }
  return paths;
}

function lengthText(length: number): string {
  return Number.isFinite(length) ? length.toFixed(1) : "∞";
}

function setAll(element: Element, attributes: Record<string, string>): void {
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
}
