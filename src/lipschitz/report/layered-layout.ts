/** A drawing of a directed acyclic graph in layers, from top to bottom. */
export interface LayeredLayout {
  readonly width: number;
  readonly height: number;
  /** the upper left corner of each box */
  readonly boxes: readonly Point[];
  /** parts of edges, each drawn once */
  readonly segments: readonly Segment[];
}

export interface Point {
  readonly x: number;
  readonly y: number;
}

export interface Segment {
  readonly from: Point;
  readonly to: Point;
  /** whether it ends at a box */
  readonly arrow: boolean;
}

export interface Box {
  readonly width: number;
  readonly height: number;
  /** numbers of the boxes that it takes something from, all below its own */
  readonly before: readonly number[];
}

/** Chosen: between layers, between boxes, and between edges that pass a layer, in pixels. */
const LAYER_GAP = 30;
const BOX_GAP = 16;
const LANE = 12;

/** Chosen: how often the order and the places are improved. */
const SWEEPS = 8;

/** Chosen: how much straighter an edge is drawn between two layers that it passes. */
const STRAIGHT = 8;

/** Chosen: how much boxes are drawn to the middle, so that long networks do not drift away. */
const ANCHOR = 0.3;

/** A box, or a place where an edge passes a layer. */
interface Item {
  readonly layer: number;
  readonly width: number;
  /** of the box; undefined where an edge passes */
  readonly box: number | undefined;
  readonly above: Item[];
  readonly below: Item[];
  /** the middle */
  x: number;
}

/**
 * Places boxes in layers by depth, so that edges run downwards. All edges from one box share their way. The order within
 * the layers reduces crossings (barycentres); the places are those of least squares for this order.
 *
 * Source: Sugiyama, Tagawa & Toda, IEEE Trans. Syst. Man Cybern. 11:109, 1981.
 *
 * @param most  of boxes and places where edges pass
 * @returns undefined if there are more
 */
export function layeredLayout(boxes: readonly Box[], most: number): LayeredLayout | undefined {
  if (boxes.length === 0 || boxes.length > most) return undefined;
  const layers = itemsOf(boxes, layersOf(boxes), most);
  if (!layers) return undefined;
  for (let sweep = 0; sweep < SWEEPS; sweep++) reorder(layers, sweep % 2 === 0);
  place(layers);
  const all = layers.flat();
  const left = all.reduce((least, { x, width }) => Math.min(least, x - width / 2), Number.POSITIVE_INFINITY);
  for (const item of all) item.x -= left;
  // A drawing that is too wide is seen from its left end first, so it should begin there.
  const right = all.reduce((most, { x, width }) => Math.max(most, x + width / 2), 0);
  const [first] = layers[0];
  if (first.x > right / 2 + 1) for (const item of all) item.x = right - item.x;
  const tops: number[] = [];
  const heights = layers.map((layer) =>
    layer.reduce((high, { box }) => Math.max(high, box === undefined ? 0 : boxes[box].height), 0),
  );
  let y = 0;
  for (const height of heights) {
    tops.push(y);
    y += height + LAYER_GAP;
  }
  const corners: Point[] = new Array(boxes.length);
  const segments: Segment[] = [];
  for (const item of all) {
    const { box, layer, x, width, below } = item;
    const top = tops[layer];
    const bottom = box === undefined ? top + heights[layer] : top + boxes[box].height;
    if (box !== undefined) corners[box] = { x: x - width / 2, y: top };
    else if (bottom > top) segments.push({ from: { x, y: top }, to: { x, y: bottom }, arrow: false });
    for (const next of below) {
      const to = { x: next.x, y: tops[next.layer] };
      // A box may be lower than others of its layer.
      segments.push({ from: { x, y: bottom }, to, arrow: next.box !== undefined });
    }
  }
  const width = all.reduce((right, one) => Math.max(right, one.x + one.width / 2), 0);
  return { width, height: y - LAYER_GAP, boxes: corners, segments };
}

/** The layer of each box: one below the lowest that it takes from; boxes that take from none are just above their first use. */
function layersOf(boxes: readonly Box[]): number[] {
  const layers = boxes.map(() => 0);
  for (const [k, { before }] of boxes.entries())
    layers[k] = before.reduce((deepest, from) => Math.max(deepest, layers[from] + 1), 0);
  const firstUse = new Map<number, number>();
  for (const [k, { before }] of boxes.entries())
    for (const from of before)
      firstUse.set(from, Math.min(firstUse.get(from) ?? Number.POSITIVE_INFINITY, layers[k]));
  for (const [k, { before }] of boxes.entries()) {
    const use = firstUse.get(k);
    if (before.length === 0 && use !== undefined) layers[k] = use - 1;
  }
  return layers;
}

/** Boxes and passing edges of each layer, linked to those above and below. */
function itemsOf(boxes: readonly Box[], layerOf: readonly number[], most: number): Item[][] | undefined {
  const layers: Item[][] = [];
  let count = 0;
  const add = (layer: number, width: number, box?: number): Item => {
    while (layers.length <= layer) layers.push([]);
    const item: Item = { layer, width, box, above: [], below: [], x: 0 };
    layers[layer].push(item);
    count++;
    return item;
  };
  const items = boxes.map(({ width }, k) => add(layerOf[k], width, k));
  /** how far the way of each box's edges has been laid */
  const ways = items.map((item) => [item]);
  for (const [k, { before }] of boxes.entries()) {
    for (const from of new Set(before)) {
      const way = ways[from];
      const steps = layerOf[k] - layerOf[from];
      while (way.length < steps) {
        if (count >= most) return undefined;
        const item = add(layerOf[from] + way.length, LANE);
        link(way[way.length - 1], item);
        way.push(item);
      }
      link(way[steps - 1], items[k]);
    }
  }
  return layers;
}

function link(upper: Item, lower: Item): void {
  upper.below.push(lower);
  lower.above.push(upper);
}

/** Sorts each layer by the mean place of its neighbours in the layer before it, or behind it. */
function reorder(layers: readonly Item[][], downwards: boolean): void {
  for (const layer of layers) for (const [place, item] of layer.entries()) item.x = place;
  const order = downwards ? layers : layers.toReversed();
  for (const layer of order) {
    const wanted = new Map(
      layer.map((item) => {
        const near = downwards ? item.above : item.below;
        return [item, near.length > 0 ? near.reduce((sum, { x }) => sum + x, 0) / near.length : item.x];
      }),
    );
    layer.sort((a, b) => (wanted.get(a) ?? 0) - (wanted.get(b) ?? 0));
    for (const [place, item] of layer.entries()) item.x = place;
  }
}

function place(layers: readonly Item[][]): void {
  for (const layer of layers) placeLayer(layer, () => 0);
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    const downwards = sweep % 2 === 0;
    for (const layer of downwards ? layers : layers.toReversed())
      placeLayer(layer, (item) => (downwards ? item.above : item.below));
  }
  for (const layer of layers) placeLayer(layer, (item) => [...item.above, ...item.below]);
}

/** Moves the items of a layer as close to their neighbours' middle as their order and their widths allow. */
function placeLayer(layer: readonly Item[], near: (item: Item) => readonly Item[] | 0): void {
  let offset = 0;
  const offsets: number[] = [];
  for (const [k, item] of layer.entries()) {
    if (k > 0) offset += apart(layer[k - 1], item);
    offsets.push(offset);
  }
  // With x = y + offset, the distances become the condition that y does not decrease.
  const wanted = layer.map((item, k) => {
    const around = near(item) || [];
    let [sum, weight] = [0, item.box === undefined || around.length === 0 ? 0 : ANCHOR];
    for (const other of around) {
      const heavy = item.box === undefined && other.box === undefined ? STRAIGHT : 1;
      sum += heavy * other.x;
      weight += heavy;
    }
    if (weight > 0) return { value: sum / weight - offsets[k], weight };
    // Without neighbours on this side: where it is, or, at first, centred.
    return { value: near(item) === 0 ? -offset / 2 : item.x - offsets[k], weight: 0.1 };
  });
  const places = nondecreasing(wanted);
  for (const [k, item] of layer.entries()) item.x = places[k] + offsets[k];
}

function apart(one: Item, other: Item): number {
  const gap = one.box === undefined && other.box === undefined ? 0 : BOX_GAP;
  return (one.width + other.width) / 2 + gap;
}

/** The nondecreasing numbers that are nearest to some values, in weighted least squares: pool adjacent violators. */
function nondecreasing(values: readonly { readonly value: number; readonly weight: number }[]): number[] {
  const pools: { value: number; weight: number; count: number }[] = [];
  for (const { value, weight } of values) {
    let pool = { value, weight, count: 1 };
    for (let last = pools.at(-1); last && last.value > pool.value; last = pools.at(-1)) {
      pools.pop();
      const both = last.weight + pool.weight;
      pool = {
        value: (last.value * last.weight + pool.value * pool.weight) / both,
        weight: both,
        count: last.count + pool.count,
      };
    }
    pools.push(pool);
  }
  return pools.flatMap(({ value, count }) => new Array<number>(count).fill(value));
}
