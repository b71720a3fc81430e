// Light or dark: as the system has it, or as was chosen.

function theme() {
  const control = byId("theme");
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const kept = () => {
    try {
      return localStorage.getItem("nnspec-theme");
    } catch {
      return null;
    }
  };
  const is = () => document.documentElement.dataset.theme || (dark.matches ? "dark" : "light");
  const told = () => {
    control.textContent = is() === "dark" ? "Light" : "Dark";
    control.setAttribute("aria-label", `Switch to ${is() === "dark" ? "light" : "dark"} colours`);
  };
  if (kept() === "dark" || kept() === "light") document.documentElement.dataset.theme = kept();
  control.addEventListener("click", () => {
    document.documentElement.dataset.theme = is() === "dark" ? "light" : "dark";
    try {
      localStorage.setItem("nnspec-theme", document.documentElement.dataset.theme);
    } catch {
      // A page from a file may not keep anything: the choice lasts as long as the page.
    }
    told();
  });
  dark.addEventListener("change", told);
  told();
}

// A tile of its own where some parameters are frozen.
function trainable({ totals, conventions }) {
  const kept = totals.params - totals.trainable;
  const exact = `${count(totals.trainable)}, ${count(kept)} frozen`;
  return kept ? [["trainable", short(totals.trainable), exact, conventions.params]] : [];
}
