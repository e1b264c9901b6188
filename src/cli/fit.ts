import stringWidth from "string-width";

/** The width if neither the stream nor the environment has one: that of a classic terminal. */
const DEFAULT_COLUMNS = 80;

/** Chosen: below this width tables are not made to fit. */
const LEAST_COLUMNS = 20;

/** Columns of text in a line: those of the terminal that a stream is, else `COLUMNS` of the environment, else 80. */
export function columnsOf(stream: { readonly columns?: number } = process.stdout): number {
  const environment = process.env["COLUMNS"] ?? "";
  const said = stream.columns || (/^[1-9]\d{0,5}$/.test(environment) ? Number(environment) : DEFAULT_COLUMNS);
  return Math.max(LEAST_COLUMNS, said);
}

/** Terminal columns of a text; a Chinese character, for example, takes two. */
export const widthOf: (text: string) => number = stringWidth;

/**
 * A text of at most `width` columns: its beginning and its end, "…" between them where something is left out.
 *
 * @param share  of the end in what is kept
 */
export function shortened(text: string, width: number, share = 0.5): string {
  if (widthOf(text) <= width) return text;
  const characters = [...new Intl.Segmenter().segment(text)].map(({ segment }) => segment);
  const take = (from: readonly string[], room: number): number => {
    let count = 0;
    for (let used = 0; count < from.length; count++) {
      used += widthOf(from[count]);
      if (used > room) break;
    }
    return count;
  };
  const room = Math.max(0, width - 1);
  const end = take(characters.toReversed(), Math.ceil(room * share));
  const tail = characters.slice(characters.length - end).join("");
  const head = characters.slice(0, take(characters, room - widthOf(tail))).join("");
  return `${head}…${tail}`;
}

/** Positions at which names may be cut, as a share of what is kept; the middle is tried first. */
const SHARES = [0.5, 0.6, 0.4, 0.7, 0.3, 0.8, 0.2, 0.9, 0.1, 1, 0];

/**
 * Names cut to at most `width` columns, all at the same position: the one nearest to the middle at which most of them
 * stay distinct.
 *
 * @param after  text behind each name, which is not cut
 */
export function shortenedApart(
  names: readonly string[],
  width: number,
  after: readonly string[] = [],
): string[] {
  const distinct = new Set(names).size;
  let best: { readonly names: string[]; readonly distinct: number } | undefined;
  for (const share of SHARES) {
    const cut = names.map((name, i) => {
      const rest = after[i] ?? "";
      return shortened(name, width - widthOf(rest), share) + rest;
    });
    const found = new Set(cut).size;
    if (found > (best?.distinct ?? 0)) best = { names: cut, distinct: found };
    if (found >= distinct) break;
  }
  return best?.names ?? [...names];
}

/** A text in lines of at most `width` columns, broken at spaces; a longer word stays whole. */
export function wrapped(text: string, width: number, indent = ""): string {
  return text
    .split("\n")
    .map((line) => {
      const lines: string[] = [];
      let current = "";
      for (const word of line.split(" ")) {
        const longer = current === "" ? word : `${current} ${word}`;
        if (current !== "" && widthOf(longer) > width) {
          lines.push(current);
          current = `${indent}${word}`;
        } else current = longer;
      }
      return [...lines, current].join("\n");
    })
    .join("\n");
}
