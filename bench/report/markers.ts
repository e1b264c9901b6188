const START = "<!-- bench:start -->";
const END = "<!-- bench:end -->";

/** The page with the text between its markers; undefined if it has none. */
export function between(page: string, text: string): string | undefined {
  const start = page.indexOf(START);
  const end = page.indexOf(END);
  if (start < 0 || end < start) return undefined;
  return `${page.slice(0, start + START.length)}\n${text}\n${page.slice(end)}`;
}
