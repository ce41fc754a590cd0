// Dark or light: as the system says, until the reader says otherwise.

const THEMES = ["system", "light", "dark"];
const system = window.matchMedia("(prefers-color-scheme: dark)");

/** The theme in force. */
function currentTheme() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ?? (system.matches ? "dark" : "light");
}

/** Makes the button that goes through the themes; `change` is called when the one in force changes. */
function themeButton(button, change) {
  const kept = stored();
  const set = (theme) => {
    if (theme === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    button.textContent = `Theme: ${theme}`;
    button.dataset.chosen = theme;
  };
  set(kept);
  button.addEventListener("click", () => {
    const next = THEMES[(THEMES.indexOf(button.dataset.chosen) + 1) % THEMES.length];
    set(next);
    store(next);
    change();
  });
  system.addEventListener("change", change);
}

// Pages from disk may have no storage.
function stored() {
  try { return THEMES.find((theme) => theme === localStorage.getItem("theme")) ?? "system"; } catch { return "system"; }
}

function store(theme) {
  try { localStorage.setItem("theme", theme); } catch { /* the choice lasts as long as the page */ }
}
