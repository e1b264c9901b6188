/** Marks the current section in the navigation. */
export function markCurrent(nav: HTMLElement): void {
  const links = new Map(
    [...nav.querySelectorAll<HTMLAnchorElement>("a[href^='#']")].map((link) => [link.hash.slice(1), link]),
  );
  const visible = new Set<string>();
  const observer = new IntersectionObserver(
    (entries) => {
      for (const { target, isIntersecting } of entries)
        if (isIntersecting) visible.add(target.id);
        else visible.delete(target.id);
      const current = [...links.keys()].find((id) => visible.has(id));
      for (const [id, link] of links)
        if (id === current) link.setAttribute("aria-current", "true");
        else link.removeAttribute("aria-current");
    },
    // The section that crosses a line a third of the way down is the current one.
    { rootMargin: "-33% 0px -66% 0px" },
  );
  for (const id of links.keys()) {
    const section = document.getElementById(id);
    if (section) observer.observe(section);
  }
}
