const key = "spectral-norm-theme";
type Theme = "light" | "dark";

/** A button that switches between light and dark. The choice is stored; the default is that of the system. */
export function themeToggle(button: HTMLButtonElement): void {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const chosen = (): Theme | undefined => (document.documentElement.dataset["theme"] as Theme) || undefined;
  const current = (): Theme => chosen() ?? (system.matches ? "dark" : "light");
  const say = () => {
    const dark = current() === "dark";
    button.setAttribute("aria-pressed", String(dark));
  };
  const kept = read();
  if (kept) document.documentElement.dataset["theme"] = kept;
  button.addEventListener("click", () => {
    const next = current() === "dark" ? "light" : "dark";
    document.documentElement.dataset["theme"] = next;
    keep(next);
    say();
  });
  system.addEventListener("change", say);
  say();
}

// A page opened from a file or in a private window may have no storage.
function read(): Theme | undefined {
  try {
    const value = localStorage.getItem(key);
    return value === "light" || value === "dark" ? value : undefined;
  } catch {
    return undefined;
  }
}

function keep(theme: Theme): void {
  try {
    localStorage.setItem(key, theme);
  } catch {}
}
