import { oneLine } from "../../files/text.js";
import { html, type Markup } from "../../report/markup.js";
import type { MapBound } from "../network-bounds.js";
import { digitsAbove } from "../rounded-digits.js";
import { type BoundedModel, boundsOf, nodeText, opText } from "./bounded-model.js";
import { type DrawnBox, drawnNetwork } from "./drawn-network.js";
import { factorOf } from "./heaviest-path.js";
import { type LayeredLayout, layeredLayout, type Segment } from "./layered-layout.js";

/** Chosen: boxes and places where edges pass, beyond which a drawing helps nobody. */
const MOST_ITEMS = 20_000;

/** Chosen: sizes in pixels; those of a chain have room for longer names, and still fit on a phone. */
const CHAIN_WIDTH = 270;
const BOX_WIDTH = 176;
const BOX_HEIGHT = 62;
const PILL_HEIGHT = 30;
const PADDING = 10;
const BAR = 4;

/** Chosen: mean widths of characters in pixels, rather too wide than too narrow. */
const NAME_CHARACTER = 7.6;
const SMALL_CHARACTER = 6.7;

/** Chosen: characters of names in what is shown when the pointer rests on a box. */
const LONGEST_NAME = 300;

/** Style of the drawing, beside that of the page. */
export const drawingStyle = `
.network { overflow: auto; max-height: 46rem; margin: 0.25rem 0 0; }
.network:focus-visible { outline: 2px solid var(--core); outline-offset: 2px; }
.network svg { display: block; margin: 2px auto; font: 500 11px var(--sans); }
.network rect { fill: var(--page); stroke: color-mix(in srgb, var(--muted) 55%, var(--rule)); }
.network .name { font-size: 12px; font-weight: 640; }
.network text { fill: var(--ink); }
.network .soft { fill: var(--muted); }
.network .end { text-anchor: end; font-variant-numeric: tabular-nums; }
.network .middle { text-anchor: middle; }
.network .pill rect { fill: var(--surface); stroke: var(--ink); }
.network .most rect.box { stroke: var(--core); stroke-width: 2.5; }
.network .none rect { stroke: var(--wrong); stroke-width: 2; }
.network .none .why { fill: var(--wrong); font-weight: 640; }
.network .open rect { stroke-dasharray: 4 3; }
.network .edge { fill: none; stroke: var(--muted); stroke-width: 1.4; }
.network .edge.arrow { marker-end: none; }
.network .head { fill: var(--muted); }
.network .up { fill: var(--core); stroke: none; }
.network .down { fill: var(--tfjs); stroke: none; }
.swatch { display: inline-block; width: 1.1rem; height: 0.3rem; }
.swatch.up { background: var(--core); }
.swatch.down { background: var(--tfjs); }
@media print { .network { max-height: none; } }
`;

/**
 * A network as a graph from its inputs to its outputs, with the factor of each map, as a figure.
 *
 * @param id  of the figure, of its own on the page
 */
export function networkDrawing(id: string, model: BoundedModel): Markup {
  const boxes = drawnNetwork(model);
  const isChain = boxes.every(
    ({ before }, k) => before.length === (k === 0 ? 0 : 1) && (k === 0 || before[0] === k - 1),
  );
  const boxWidth = isChain ? CHAIN_WIDTH : BOX_WIDTH;
  const sizes = boxes.map(({ kind, before }) => ({
    width: boxWidth,
    height: kind === "map" ? BOX_HEIGHT : PILL_HEIGHT,
    before,
  }));
  const layout = layeredLayout(sizes, MOST_ITEMS);
  const maps = model.maps.length;
  const quiet = maps - boxes.filter(({ kind }) => kind === "map").length;
  if (!layout)
    return html`<figure id="${id}"><p class="figure-title">The network</p>
<figcaption>It has ${maps} maps with too many connections for a drawing. The table has all of them.</figcaption></figure>`;
  const drawn = drawnSvg(id, boxes, layout, boxWidth, model);
  return html`<figure id="${id}">
<p class="figure-title">The network and its factors</p>
<ul class="legend"><li><span class="swatch up"></span>raises the bound</li><li><span class="swatch down"></span>lowers it</li></ul>
<div class="network" tabindex="0" role="region" aria-label="The network, drawn">${drawn}</div>
<figcaption>Each box is a map: its node and operator, its constant after ×, and the bound so far after ≤. The bar is as long as the
logarithm of its factor; the map that raises the bound most has a thick frame.${
    quiet > 0 ? " Maps that follow an arrow have the constant 1." : ""
  }${model.maps.some(({ bound }) => bound === undefined) ? " Dashed frames: no bound up to there." : ""}</figcaption>
</figure>`;
}

function drawnSvg(
  id: string,
  boxes: readonly DrawnBox[],
  layout: LayeredLayout,
  boxWidth: number,
  model: BoundedModel,
): Markup {
  const { width, height, segments } = layout;
  const boundOf = boundsOf(model.maps);
  const factors = boxes.map((box) => (box.kind === "map" ? factorOf(box.map, boundOf) : undefined));
  const sizes = factors.map((factor) => (factor ? Math.abs(Math.log10(factor)) : 0));
  const most = Math.max(...sizes);
  const largest = factors.reduce((best: number, factor, k) => {
    const than = best < 0 ? 1 : (factors[best] ?? 1);
    return factor !== undefined && factor > than ? k : best;
  }, -1);
  const [w, h] = [Math.ceil(width) + 6, Math.ceil(height) + 6];
  const drawn = boxes.map((box, k) => {
    const { x, y } = layout.boxes[k];
    const at = html`transform="translate(${round(x)} ${round(y)})"`;
    if (box.kind !== "map") return pill(box, at, boxWidth);
    const share = most > 0 ? sizes[k] / most : 0;
    return mapBox(box, at, boxWidth, { share, up: (factors[k] ?? 1) >= 1, isLargest: k === largest });
  });
  const named = largest >= 0 ? boxes[largest] : undefined;
  const description =
    `${boxes.filter(({ kind }) => kind === "map").length} boxes from the inputs at the top to the outputs at the ` +
    `bottom.${named?.kind === "map" ? ` ${cut(nodeText(named.map), LONGEST_NAME)} raises the bound most.` : ""} ` +
    "The table has the same numbers.";
  return html`<svg role="img" aria-labelledby="${id}-title ${id}-description" width="${w}" height="${h}" viewBox="-3 -3 ${w} ${h}">
<title id="${id}-title">The network as a graph</title><desc id="${id}-description">${description}</desc>
${segments.map(edge)}
${drawn}</svg>`;
}

function edge({ from, to, arrow }: Segment): Markup {
  const end = arrow ? to.y - 6 : to.y;
  const [x1, y1, x2] = [from.x, from.y, to.x].map(round);
  const middle = round((from.y + end) / 2);
  const line =
    x1 === x2
      ? `M${x1},${y1}V${round(end)}`
      : `M${x1},${y1}C${x1},${middle} ${x2},${middle} ${x2},${round(end)}`;
  const head = arrow ? html`<path class="head" d="M${x2 - 4},${round(to.y - 7)}h8l-4,7z"/>` : "";
  return html`<path class="edge" d="${line}"/>${head}
`;
}

function pill(box: Exclude<DrawnBox, { kind: "map" }>, at: Markup, width: number): Markup {
  const most = Math.floor((width - 2 * PADDING) / NAME_CHARACTER);
  if (box.kind === "input") {
    const name = oneLine(box.name);
    return html`<g class="pill" ${at}><title>input ${cut(name, LONGEST_NAME)}</title><rect width="${width}" height="${PILL_HEIGHT}" rx="15"/><text class="name middle" x="${width / 2}" y="19">${cutStart(name, most)}</text></g>
`;
  }
  const { output, bound } = box.answer;
  const name = oneLine(output);
  const value = bound === undefined ? "no bound" : `≤ ${digitsAbove(bound)}`;
  const room = most - lengthOf(value) - 2;
  return html`<g class="pill${bound === undefined ? " none" : ""}" ${at}><title>output ${cut(name, LONGEST_NAME)}: ${value}</title><rect width="${width}" height="${PILL_HEIGHT}" rx="15"/><text class="name" x="${PADDING}" y="19">${cutStart(name, room)}</text><text class="name end${bound === undefined ? " why" : ""}" x="${width - PADDING}" y="19">${value}</text></g>
`;
}

interface Bar {
  /** of the longest */
  readonly share: number;
  readonly up: boolean;
  readonly isLargest: boolean;
}

function mapBox(
  { map, quiet }: Extract<DrawnBox, { kind: "map" }>,
  at: Markup,
  width: number,
  { share, up, isLargest }: Bar,
): Markup {
  const room = width - 2 * PADDING;
  const small = Math.floor(room / SMALL_CHARACTER);
  const none = map.constants === undefined;
  const constant = constantText(map);
  const bound = map.bound === undefined ? "" : `≤ ${digitsAbove(map.bound, 3)}`;
  const after = quiet.map(opText).join(" → ");
  const left = none ? oneLine(map.how) : after === "" ? "" : `→ ${after}`;
  const op = cut(opText(map), Math.floor((room - lengthOf(constant) * NAME_CHARACTER) / SMALL_CHARACTER) - 1);
  const kind = `${isLargest ? " most" : ""}${none ? " none" : ""}${map.bound === undefined ? " open" : ""}`;
  const last = BOX_HEIGHT - BAR - 9;
  return html`<g class="map${kind}" ${at}><title>${titleOf(map, quiet)}</title><rect class="box" width="${width}" height="${BOX_HEIGHT}" rx="6"/><text class="name" x="${PADDING}" y="17">${cutStart(nodeText(map), Math.floor(room / NAME_CHARACTER))}</text><text class="soft" x="${PADDING}" y="33">${op}</text><text class="name end" x="${width - PADDING}" y="33">${constant}</text>${
    left === ""
      ? ""
      : html`<text class="${none ? "why" : "soft"}" x="${PADDING}" y="${last}">${cut(left, small - lengthOf(bound) - 1)}</text>`
  }${bound === "" ? "" : html`<text class="soft end" x="${width - PADDING}" y="${last}">${bound}</text>`}${
    share > 0
      ? html`<rect class="${up ? "up" : "down"}" x="${PADDING}" y="${BOX_HEIGHT - BAR - 3}" width="${round(Math.max(1, room * share))}" height="${BAR}" rx="1"/>`
      : ""
  }</g>
`;
}

/** The constant of a map, or how it joins those of several inputs. */
export function constantText({ constants, combine }: Pick<MapBound, "constants" | "combine">): string {
  if (!constants) return "no bound";
  const largest = Math.max(0, ...constants);
  if (constants.length < 2) return `×${digitsAbove(largest)}`;
  const factor = largest === 1 ? "" : ` ×${digitsAbove(largest, 3)}`;
  return `${combine === "sum" ? "sum" : "√Σ²"}${factor}`;
}

function titleOf(map: MapBound, quiet: readonly MapBound[]): string {
  const { how, bound, constants } = map;
  const parts = [
    `${nodeText(map)} (${opText(map)})`,
    constants ? `${constantText(map)}: ${oneLine(how)}` : `no bound: ${oneLine(how)}`,
    ...quiet.map((one) => `then ${nodeText(one)} (${opText(one)}): ×1`),
    bound === undefined ? "no bound so far" : `bound so far: ${digitsAbove(bound)}`,
  ];
  return parts.map((part) => cut(part, LONGEST_NAME)).join("\n");
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

/** About how many characters of Latin letters a text is wide: letters of other scripts may be twice as wide. */
function lengthOf(text: string): number {
  let length = 0;
  for (const character of text) length += widthOf(character);
  return length;
}

function widthOf(character: string): number {
  return (character.codePointAt(0) ?? 0) >= 0x1100 ? 2 : 1;
}

/** The beginning of a text. */
function cut(text: string, most: number): string {
  if (text.length <= most && lengthOf(text) <= most) return text;
  let [kept, width] = ["", 1];
  for (const character of text) {
    width += widthOf(character);
    if (width > most) break;
    kept += character;
  }
  return `${kept}…`;
}

/** The end of a text: of names it says more than the beginning. */
function cutStart(text: string, most: number): string {
  if (text.length <= most && lengthOf(text) <= most) return text;
  const characters = Array.from(text.slice(-2 * most));
  let [kept, width] = ["", 1];
  for (const character of characters.reverse()) {
    width += widthOf(character);
    if (width > most) break;
    kept = character + kept;
  }
  return `…${kept}`;
}
