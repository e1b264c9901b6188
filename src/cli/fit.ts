import stringWidth from "string-width";

/** What a stream that does not say is taken for. */
const DEFAULT_COLUMNS = 80;

/** Narrower than that nothing is made to fit. */
const LEAST_COLUMNS = 20;

/** Columns of text in a line: those of the terminal that a stream is, else `COLUMNS` of the environment, else 80. */
export function columnsOf(stream: { readonly columns?: number } = process.stdout): number {
  const environment = process.env["COLUMNS"] ?? "";
  const said = stream.columns || (/^[1-9]\d{0,5}$/.test(environment) ? Number(environment) : DEFAULT_COLUMNS);
  return Math.max(LEAST_COLUMNS, said);
}

/** Columns that a text takes on a terminal; a Chinese character, say, takes two. */
export const widthOf: (text: string) => number = stringWidth;

/** A text of at most `width` columns: its beginning and its end, "…" between them where something is left out. */
export function shortened(text: string, width: number): string {
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
  const end = take(characters.toReversed(), Math.ceil(room / 2));
  const tail = characters.slice(characters.length - end).join("");
  const head = characters.slice(0, take(characters, room - widthOf(tail))).join("");
  return `${head}…${tail}`;
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
