import "katex/dist/katex.min.css";
import "./page.css";
import certify from "./cells/certify.js?raw";
import gradient from "./cells/gradient.js?raw";
import power from "./cells/power.js?raw";
import tie from "./cells/tie.js?raw";
import { accuracySection } from "./show/accuracy.js";
import { cell } from "./show/cell.js";
import { find } from "./show/element.js";
import { machineLine } from "./show/machine.js";
import { themeToggle } from "./show/theme.js";

themeToggle(find<HTMLButtonElement>("#theme"));
machineLine(find("#machine"));

cell(find("[data-cell=gradient]"), "value and gradient", gradient);
cell(find("[data-cell=power]"), "power iteration", power);
accuracySection(find("#accuracy .live"));
cell(find("[data-cell=tie]"), "a walk through a tie", tie);
cell(find("[data-cell=certify]"), "a bad start and a proof", certify);
