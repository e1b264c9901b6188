import "katex/dist/katex.min.css";
import "./page.css";
import { accuracySection } from "./show/accuracy.js";
import { find } from "./show/element.js";
import { machineLine } from "./show/machine.js";
import { themeToggle } from "./show/theme.js";

themeToggle(find<HTMLButtonElement>("#theme"));
machineLine(find("#machine"));
accuracySection(find("#accuracy .live"));
