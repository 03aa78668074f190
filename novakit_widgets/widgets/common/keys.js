// Keeps the keys that are pressed in a form of ours from the notebook around it: in command mode a letter at a focused menu or
// button is a shortcut there, and can turn the cell into text or delete it, with the results that it shows.

const GENERATE = ".novakit-generate";

function keep(event) {
  const held = event.ctrlKey || event.metaKey || event.altKey;
  // Those that are held together are left alone, such as for saving the notebook; with Enter they would run the cell.
  if (!held || event.key === "Enter") event.stopPropagation();
}

function generate(event, form) {
  const button = form.querySelector(GENERATE);
  if (!button || event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
  event.preventDefault();
  event.stopPropagation();
  button.click();
}

function render({ model, el }) {
  const listening = new AbortController();
  let frame = 0;
  const arm = () => {
    const form = el.closest(`.${model.get("root")}`);
    if (!form) {
      frame = requestAnimationFrame(arm); // not in the page yet
      return;
    }
    const { signal } = listening;
    form.addEventListener("keydown", keep, { signal });
    // On the way down, since a text field of ipywidgets lets no key come up again.
    form.addEventListener("keydown", (event) => generate(event, form), { signal, capture: true });
  };
  arm();
  return () => {
    cancelAnimationFrame(frame);
    listening.abort();
  };
}

export default { render };
