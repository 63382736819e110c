// Light and dark: as the system has it, or as the switch says.
import { html, useState } from "./preact.js";

const key = "understudy-theme";

function stored() {
  try {
    return localStorage.getItem(key) ?? "";
  } catch {
    return ""; // a file that was opened may have no storage
  }
}

function apply(theme) {
  if (theme) document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
}

apply(stored());

const next = { "": "light", light: "dark", dark: "" };
const names = { "": "as the system", light: "light", dark: "dark" };
const signs = { "": "◐", light: "○", dark: "●" };

// Theme is the switch.
export function Theme() {
  const [theme, setTheme] = useState(stored());
  const turn = () => {
    const to = next[theme];
    try {
      localStorage.setItem(key, to);
    } catch {
      // it holds until the page is left
    }
    apply(to);
    setTheme(to);
  };
  return html`<button class="icon theme" onClick=${turn} title=${`Colours: ${names[theme]}`} aria-label=${`Colours: ${names[theme]}`}>
    ${signs[theme]}
  </button>`;
}
