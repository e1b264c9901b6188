// What may be wrong with a built site: requests to elsewhere, and links that lead nowhere.
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";

/**
 * @param {string} dist folder of the built site
 * @param {string} base folder of the server that it will be in
 * @returns {string[]} a line for each problem
 */
export function problemsOf(dist, base) {
  const problems = [];
  for (const path of readdirSync(dist, { recursive: true, encoding: "utf8" })) {
    const file = join(dist, path);
    if (path.endsWith(".css")) {
      for (const [, url] of readFileSync(file, "utf8").matchAll(
        /(?:url\(|@import\s+)["']?(https?:)?\/\/[^)"';]*/g,
      ))
        problems.push(`${path}: a style sheet requests ${url}`);
    } else if (path.endsWith(".html")) {
      const text = readFileSync(file, "utf8");
      const anchors = new Map([[file, anchorsOf(text)]]);
      for (const [tag, name] of text.matchAll(/<([a-z][a-z0-9-]*)\b[^>]*>/gi))
        for (const [, attribute, url] of tag.matchAll(/\s(href|src|srcset|data|poster|action)="([^"]*)"/gi)) {
          const target = url.replaceAll("&amp;", "&");
          if (/^(https?:)?\/\//i.test(target)) {
            // A link is followed by the reader alone; anything else is loaded with the page.
            if (name !== "a") problems.push(`${path}: <${name} ${attribute}> requests ${target}`);
          } else if (!/^(data|mailto|blob|javascript):/i.test(target)) {
            const problem = missing(dist, base, file, target, anchors);
            if (problem) problems.push(`${path}: ${problem}`);
          }
        }
    }
  }
  return problems;
}

/** The targets of links into a page. */
function anchorsOf(text) {
  return new Set([...text.matchAll(/\s(?:id|name)="([^"]*)"/g)].map(([, id]) => id));
}

/** What is missing at the end of a link, if anything is. */
function missing(dist, base, from, target, anchors) {
  const [path, hash] = target.split("#");
  let file = from;
  const plain = decodeURIComponent(path.replace(/\?.*/, ""));
  if (plain !== "") {
    if (plain.startsWith("/") && !plain.startsWith(base)) return `${target} is outside of ${base}`;
    file = plain.startsWith("/") ? join(dist, plain.slice(base.length)) : resolve(dirname(from), plain);
    if (existsSync(file) && statSync(file).isDirectory()) file = join(file, "index.html");
    if (!existsSync(file)) file = `${file}.html`;
    if (!existsSync(file)) return `${target} leads to ${relative(dist, file)}, which does not exist`;
  }
  if (!hash || !file.endsWith(".html")) return undefined;
  if (!anchors.has(file)) anchors.set(file, anchorsOf(readFileSync(file, "utf8")));
  return anchors.get(file).has(decodeURIComponent(hash)) ? undefined : `${target}: no such anchor`;
}
