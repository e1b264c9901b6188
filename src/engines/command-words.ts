import { OptionError } from "../index.js";

/**
 * Splits a command line into words, without a shell. Words are separated by white space. Single quotes keep everything
 * literally; in double quotes and outside of quotes, a backslash escapes the next character (in double quotes only " and
 * \). There are no variables and no wildcards.
 *
 * @param name  the option, for messages
 * @throws OptionError for a quote that does not end, a last backslash, or no word at all
 */
export function commandWords(text: string, name: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  let quote: string | undefined;
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (quote === undefined && /\s/.test(character)) {
      if (word !== undefined) words.push(word);
      word = undefined;
      continue;
    }
    word ??= "";
    if (character === quote) quote = undefined;
    else if (quote === undefined && (character === "'" || character === '"')) quote = character;
    else if (
      character === "\\" &&
      quote !== "'" &&
      (quote === undefined || /["\\]/.test(text[at + 1] ?? ""))
    ) {
      if (++at === text.length) throw new OptionError(`${name}: ends with a backslash`);
      word += text[at];
    } else word += character;
  }
  if (quote !== undefined) throw new OptionError(`${name}: a ${quote} has no end`);
  if (word !== undefined) words.push(word);
  if (words.length === 0) throw new OptionError(`${name}: expected a command, such as "mpiexec -n 4"`);
  return words;
}
