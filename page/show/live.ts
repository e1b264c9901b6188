import { element } from "./element.js";
import { type Job, type Listener, Stopped } from "./engine.js";

export interface LiveOptions<Output> {
  /** what the button says */
  readonly run: string;
  /** run by itself as soon as it comes into view */
  readonly auto?: boolean;
  /** Starts the computation. What it throws is said in place, as what is wrong with the input. */
  start(listener: Listener<never>): Job<Output>;
  /** Shows what came of it; returns that in a sentence, for the line beside the button. */
  show(output: Output): string;
  /** What to say of an error, instead of its message alone. */
  explain?(error: Error): string;
  /** It was stopped or failed: whatever is half shown may be taken back. */
  ended?(): void;
}

/** A computation on the page: its buttons, its progress, and what became of it. */
export class Live<Output> {
  readonly node: HTMLElement;
  readonly #options: LiveOptions<Output>;
  readonly #run: HTMLButtonElement;
  readonly #stop = element("button", { type: "button", class: "stop", hidden: true }, "Stop");
  readonly #bar = element("progress", { "aria-label": "Progress", hidden: true });
  readonly #label = element("span", { class: "label" });
  // Read out when it changes, so it says how things end and not how they go.
  readonly #status = element("span", { class: "status", role: "status" });
  #job: Job<Output> | undefined;

  constructor(options: LiveOptions<Output>) {
    this.#options = options;
    this.#run = element("button", { type: "button", class: "run" }, options.run);
    const children = [this.#run, this.#stop, this.#bar, this.#label, this.#status];
    this.node = element("div", { class: "actions" }, ...children);
    this.#run.addEventListener("click", () => void this.run());
    this.#stop.addEventListener("click", () => this.#job?.stop());
    if (options.auto) whenSeen(this.node, () => void this.run());
  }

  /** Once more, in place of what is still running. Settles when that has ended in whichever way. */
  async run(): Promise<void> {
    this.#job?.stop();
    let job: Job<Output> | undefined;
    try {
      let begun = performance.now();
      job = this.#options.start({
        begun: () => {
          begun = performance.now();
          this.#progress("computing");
        },
        progress: (label, done, total) => this.#progress(label, done / total),
      });
      this.#job = job;
      this.#begin();
      const output = await job.result;
      if (this.#job !== job) return;
      const text = this.#options.show(output);
      this.#end("done", `${text} (${seconds(performance.now() - begun)})`);
    } catch (error) {
      // What was stopped for something newer has nothing more to say.
      if (this.#job !== job) return;
      this.#options.ended?.();
      if (error instanceof Stopped) this.#end("stopped", "Stopped.");
      else this.#end("failed", this.#explained(error));
    }
  }

  #explained(error: unknown): string {
    if (!(error instanceof Error)) return String(error);
    return this.#options.explain?.(error) ?? error.message;
  }

  #begin(): void {
    this.node.dataset["state"] = "busy";
    this.#stop.hidden = false;
    this.#bar.hidden = false;
    this.#bar.removeAttribute("value");
    this.#status.textContent = "";
    this.#progress("waiting for another computation");
  }

  #progress(label: string, part?: number): void {
    this.#label.textContent = `${label} …`;
    if (part !== undefined) this.#bar.value = part;
  }

  #end(state: "done" | "stopped" | "failed", text: string): void {
    this.#job = undefined;
    this.node.dataset["state"] = state;
    // Focus must not be lost with the button that had it.
    if (document.activeElement === this.#stop) this.#run.focus();
    this.#stop.hidden = true;
    this.#bar.hidden = true;
    this.#label.textContent = "";
    this.#status.textContent = text;
  }
}

/** Calls once, as soon as an element is on the screen or close to it. */
export function whenSeen(node: Element, action: () => void): void {
  const observer = new IntersectionObserver(
    (entries) => {
      if (!entries.some(({ isIntersecting }) => isIntersecting)) return;
      observer.disconnect();
      action();
    },
    { rootMargin: "25%" },
  );
  observer.observe(node);
}

function seconds(ms: number): string {
  return ms < 1000 ? `${Math.max(1, Math.round(ms))} ms` : `${(ms / 1000).toFixed(1)} s`;
}
