// Forms: sent once, asked before what cannot be undone, and a few conveniences.

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.dataset.confirm && !confirm(form.dataset.confirm)) {
    event.preventDefault();
    return;
  }
  if (!("once" in form.dataset)) return;
  if (form.dataset.sent) {
    event.preventDefault();
    return;
  }
  form.dataset.sent = "yes";
  for (const button of form.querySelectorAll("button:not([type=button])")) button.setAttribute("aria-busy", "true");
});

// Coming back to a page that the browser kept: its form was sent, so it needs a new one.
addEventListener("pageshow", (event) => {
  if (event.persisted && document.querySelector("[data-sent]")) location.reload();
});

document.addEventListener("click", async (event) => {
  const step = event.target.closest("[data-step]");
  if (step) {
    const input = step.parentElement.querySelector("input");
    const wanted = Number(input.value || 1) + Number(step.dataset.step);
    input.value = Math.min(Number(input.max), Math.max(Number(input.min), wanted));
    return;
  }
  const copy = event.target.closest("[data-copy]");
  if (copy) {
    await navigator.clipboard.writeText(copy.dataset.copy);
    copy.querySelector("span").textContent = copy.dataset.copied;
  }
});

// Copying needs a secure context; where there is none, the button stays away.
if (navigator.clipboard) for (const button of document.querySelectorAll("[data-copy]")) button.hidden = false;

// The seller's form shows the fields of the chosen kind only.
const kinds = document.querySelectorAll("[data-kind]");
const show = () => {
  const chosen = document.querySelector("[data-kind]:checked")?.value;
  for (const field of document.querySelectorAll("[data-for-kind]")) {
    field.hidden = !field.dataset.forKind.split(" ").includes(chosen);
  }
};
for (const kind of kinds) kind.addEventListener("change", show);
if (kinds.length > 0) show();
