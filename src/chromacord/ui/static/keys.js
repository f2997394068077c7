// Keyboard shortcuts of editing software. Text fields keep all keys; sliders and lists keep the arrows.

const TEXT = "input[type=text], input[type=number], textarea";
const ARROWS = "input[type=range], select, [role=slider]";
const PRESSED = "button, summary, a, select, input[type=checkbox], input[type=file]";

export function listenForKeys(actions) {
  document.addEventListener("keydown", (event) => {
    const { target } = event;
    if (event.ctrlKey || event.metaKey || event.altKey || target.closest(TEXT) || document.querySelector("dialog[open]")) return;
    if (event.key.startsWith("Arrow") && target.closest(ARROWS)) return;
    if (["Home", "End"].includes(event.key) && target.closest("input[type=range], select")) return;
    if (event.key === " " && target.closest(PRESSED)) return;
    if (target.closest("select") && event.key.length === 1) return;
    const action = actions[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!action) return;
    event.preventDefault();
    action(event);
  });
}

/** Arrows move between the buttons of a radio group, as they do between native radio buttons. */
export function radioGroup(group, choose) {
  const buttons = () => [...group.querySelectorAll("[role=radio]")];
  const update = () => buttons().forEach((button) => { button.tabIndex = button.getAttribute("aria-checked") === "true" ? 0 : -1; });
  new MutationObserver(update).observe(group, { subtree: true, attributeFilter: ["aria-checked"] });
  update();
  group.addEventListener("click", (event) => { const button = event.target.closest("[role=radio]"); if (button) choose(button); });
  group.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    const all = buttons(), next = all[(all.indexOf(document.activeElement) + step + all.length) % all.length];
    event.preventDefault();
    event.stopPropagation();
    next.focus();
    next.click();
  });
}
