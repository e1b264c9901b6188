import { element } from "./element.js";
import { type Job, type Listener, Stopped } from "./engine.js";

export interface LiveOptions<Output> {
  /** the label of the button */
  readonly run: string;
  /** whether it runs by itself when it comes into view */
  readonly auto?: boolean;
  /** Starts the computation. An error is shown beside the button, as a fault of the input. */
  start(listener: Listener<never>): Job<Output>;
  /** Shows the result and returns a sentence for the line beside the button. */
  show(output: Output): string;
  /** The text for an error; default: its message. */
  explain?(error: Error): string;
  /** Called if it was stopped or failed, to remove partial results. */
  ended?(): void;
}

/** A computation on the page, with its buttons, progress and result. */
export class Live<Output> {
  readonly node: HTMLElement;
  readonly #options: LiveOptions<Output>;
  readonly #run: HTMLButtonElement;
  readonly #stop = element("button", { type: "button", class: "stop", hidden: true }, "Stop");
  readonly #bar = element("progress", { "aria-label": "Progress", hidden: true });
  readonly #label = element("span", { class: "label" });
  // Screen readers read every change of it, so it gets results and no progress.
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

  /** Runs the computation, instead of one that is still running. Settles when it has ended in any way. */
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
      // A newer run has replaced this one.
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
    // The focus must not be lost when the button is hidden.
    if (document.activeElement === this.#stop) this.#run.focus();
    this.#stop.hidden = true;
    this.#bar.hidden = true;
    this.#label.textContent = "";
    this.#status.textContent = text;
  }
}

/** Calls `action` once, when an element is on the screen or close to it. */
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
