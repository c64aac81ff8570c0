// An order that is still moving: its panel is fetched anew whenever the state changes.
import { refresh } from "./countdown.js";
import { follow } from "./tools.js";

const holder = document.querySelector("[data-panel]");

if (holder) {
  const path = holder.dataset.panel;
  const panel = () => holder.querySelector("[data-live-panel]");
  const isLive = () => panel()?.dataset.livePanel === "true";
  // Twenty minutes of looking again are enough; then a person will reload.
  let patience = 800;
  let busy = false;
  let stop = () => {};

  const load = async () => {
    if (busy) return;
    busy = true;
    try {
      const answer = await fetch(`${path}/panel${holder.dataset.query ?? ""}`, { cache: "no-store" });
      // Led elsewhere: the session is over. The page itself knows what to do then.
      if (answer.redirected) return location.assign(path);
      if (!answer.ok) return;
      // The server escaped it; it is the same markup that the page was made of.
      holder.innerHTML = await answer.text();
      refresh();
      if (!isLive()) stop();
    } finally {
      busy = false;
    }
  };

  if (isLive()) {
    const close = follow(`${path}/stream`, "order", (order) => {
      if (order.state !== panel()?.dataset.panelState) load();
    });
    // Vouchers and refunds follow the order by a moment and are not in its stream.
    const settled = () => !["PENDING", "PAYING"].includes(panel()?.dataset.panelState);
    const poll = setInterval(() => {
      if (document.hidden || !isLive() || !settled()) return;
      if (patience-- > 0) load();
      else stop();
    }, 1500);
    holder.addEventListener("reached", () => setTimeout(load, 1500));
    stop = () => {
      close();
      clearInterval(poll);
    };
  }
}
