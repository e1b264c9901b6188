/** The colours by day. */
export const light = `  --page: #f6f4ee; --surface: #fffefb; --ink: #1f1d18; --muted: #656056; --rule: #dedacf;
  --core: #0a5f95; --tfjs: #b04a08; --peer: #6d3fa6; --pytorch: #1c7448;
  --jax: #8a6100; --wrong: #b3261e;
  --series-1: #0a5f95; --series-2: #b04a08; --series-3: #a3195b;`;

/** And by night. */
export const dark = `  --page: #121417; --surface: #1a1d22; --ink: #ebe7de; --muted: #a8a397; --rule: #363a42;
  --core: #6fb9ec; --tfjs: #f2a45c; --peer: #c6a6f2; --pytorch: #7fd3a3;
  --jax: #e3cf6a; --wrong: #ff8a80;
  --series-1: #6fb9ec; --series-2: #f2a45c; --series-3: #f58bb8;`;

/** The page's style: one column of text, figures a little wider, light and dark, down to phone width. */
export const style = `
:root {
  color-scheme: light dark;
${light}
  --sans: system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Noto Sans", "Liberation Sans", sans-serif;
  --serif: "Iowan Old Style", "Palatino Linotype", Palatino, Charter, "Noto Serif", Georgia, serif;
  --mono: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace;
}
@media (prefers-color-scheme: dark) {
  :root {
${dark}
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body { margin: 0; background: var(--page); color: var(--ink); font: 1.0625rem/1.62 var(--serif); }
main { max-width: 58rem; margin: 0 auto; padding: clamp(1.75rem, 5vw, 4.5rem) clamp(1rem, 4vw, 2rem) 4rem; }
header, section > p, section > h2, section > dl, section > ul, footer { max-width: 44rem; margin-inline: auto; }
h1, h2 { font-weight: 600; line-height: 1.16; letter-spacing: -0.012em; text-wrap: balance; }
h1 { font-size: clamp(2rem, 5.4vw, 3.1rem); margin: 0.35rem 0 1rem; }
h2 { font-size: 1.6rem; margin: 4.25rem auto 0.9rem; }
p { margin: 0 0 1rem; text-wrap: pretty; }
.eyebrow { font: 600 0.8125rem/1.4 var(--sans); letter-spacing: 0.06em; color: var(--core); margin: 0; }
.lead { font-size: 1.2rem; line-height: 1.55; color: var(--muted); }
sub, sup { font-size: 0.7em; line-height: 0; }
sup { margin-left: 0.15em; color: var(--muted); }
code { font: 0.86em/1.5 var(--mono); overflow-wrap: anywhere; }
pre { margin: 1rem 0; padding: 0.8rem 1rem; background: var(--surface); border: 1px solid var(--rule); border-radius: 0.5rem; white-space: pre-wrap; }
.findings { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(12.5rem, 45%), 1fr)); gap: 1px; margin: 2.25rem 0 0; padding: 0; overflow: hidden; list-style: none; background: var(--rule); border: 1px solid var(--rule); border-radius: 0.75rem; font-family: var(--sans); }
.findings li { background: var(--surface); padding: 1.1rem 1.25rem 1.2rem; }
.findings strong { display: block; font-size: 1.65rem; font-weight: 620; line-height: 1.25; letter-spacing: -0.02em; font-variant-numeric: tabular-nums; white-space: nowrap; }
.findings span { display: block; margin-top: 0.3rem; font-size: 0.875rem; line-height: 1.42; color: var(--muted); }
figure { margin: 1.75rem 0 1.5rem; padding: clamp(0.9rem, 2.4vw, 1.75rem); background: var(--surface); border: 1px solid var(--rule); border-radius: 0.75rem; font-family: var(--sans); }
.figure-title { margin: 0 0 0.5rem; font-size: 1rem; font-weight: 640; line-height: 1.35; }
figcaption { max-width: 46rem; margin-top: 1rem; font: 0.9375rem/1.55 var(--sans); color: var(--muted); }
.legend { display: flex; flex-wrap: wrap; gap: 0.25rem 1.25rem; margin: 0 0 0.6rem; padding: 0; list-style: none; font-size: 0.875rem; }
.legend li { display: flex; align-items: center; gap: 0.4rem; }
svg.plot { --plot-background: var(--surface); display: block; width: 100%; height: auto; overflow: visible; }
.narrow { display: none; }
.scroll { overflow-x: auto; margin: 1.5rem 0; padding: 0.25rem clamp(0.75rem, 2.4vw, 1.75rem) 0.75rem; background: var(--surface); border: 1px solid var(--rule); border-radius: 0.75rem; }
.scroll:focus-visible, a:focus-visible { outline: 2px solid var(--core); outline-offset: 2px; }
table { width: 100%; border-collapse: collapse; font: 0.9rem/1.4 var(--sans); font-variant-numeric: tabular-nums; }
caption { padding: 0.8rem 0 0.5rem; text-align: left; font-weight: 640; font-size: 1rem; }
th, td { padding: 0.28rem 0 0.28rem 1rem; text-align: right; white-space: nowrap; }
th:first-child { padding-left: 0; text-align: left; }
thead th { font-weight: 500; color: var(--muted); border-bottom: 1px solid var(--ink); vertical-align: bottom; }
tbody th { font-weight: 400; }
tbody th[scope="rowgroup"] { padding-top: 0.95rem; font-weight: 640; }
tbody tr + tr { border-top: 1px solid var(--rule); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0.3rem 1.5rem; margin-block: 1rem; font: 0.9375rem/1.5 var(--sans); }
dt { color: var(--muted); }
dd { margin: 0; overflow-wrap: anywhere; }
td em { margin-right: 0.4em; font-style: normal; font-weight: 600; color: var(--wrong); }
.notes { max-width: 44rem; margin: -0.5rem auto 1.5rem; padding-left: 1.5rem; font: 0.875rem/1.5 var(--sans); color: var(--muted); overflow-wrap: anywhere; }
section > ul { padding-left: 1.1rem; font: 0.9375rem/1.55 var(--sans); }
footer { margin-top: 4rem; padding-top: 1rem; border-top: 1px solid var(--rule); font: 0.875rem/1.5 var(--sans); color: var(--muted); }
@media (max-width: 44rem) {
  body { font-size: 1rem; }
  .lead { font-size: 1.08rem; }
  .wide { display: none; }
  .narrow { display: block; }
  h2 { margin-top: 3rem; }
  .scroll, figure { margin-inline: -0.25rem; }
  table { font-size: 0.8125rem; }
  th, td { padding-left: 0.6rem; }
  td em { display: block; margin: 0; white-space: normal; }
  dl { grid-template-columns: 1fr; gap: 0; }
  dd { margin-bottom: 0.6rem; }
}
@media print {
  body { background: none; }
  figure, .scroll { break-inside: avoid; }
}
`;
