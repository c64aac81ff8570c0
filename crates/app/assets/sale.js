// The seller's board of a running sale.
import { follow, grouped } from "./tools.js";

const root = document.querySelector("[data-live-sale]");
const KEPT = 60;

function drawBar(bar, live) {
  const part = (units) => (live.stock > 0 ? Math.min(1000, Math.floor((units * 1000) / live.stock)) : 0);
  let from = 0;
  const lengths = [live.sold, live.paying, Math.max(0, live.held - live.paying)].map(part);
  bar.querySelectorAll("rect").forEach((rect, place) => {
    rect.setAttribute("x", from);
    rect.setAttribute("width", lengths[place]);
    from += lengths[place];
  });
}

function drawSpark(spark, rates) {
  const most = Math.max(1, ...rates);
  const step = 300 / (KEPT - 1);
  const first = 300 - (rates.length - 1) * step;
  const points = rates.map((rate, place) => `${(first + place * step).toFixed(1)},${(56 - (rate / most) * 52).toFixed(1)}`);
  spark.querySelector(".spark-line").setAttribute("points", points.join(" "));
  spark.querySelector(".spark-area").setAttribute("d", `M${first.toFixed(1)},60 L${points.join(" L")} L300,60 Z`);
}

if (root) {
  const rates = [];
  let last = null;
  let drawn = 0;
  follow(root.dataset.liveSale, "live", (live) => {
    last = live;
    for (const field of root.querySelectorAll("[data-live-number]")) {
      field.textContent = grouped(live[field.dataset.liveNumber]);
    }
    for (const field of root.querySelectorAll("[data-live-refused]")) {
      field.textContent = grouped(live.refused[field.dataset.liveRefused] ?? 0);
    }
    drawBar(root.querySelector("[data-live-bar]"), live);
  }, (connected) => {
    root.querySelector("[data-live]").hidden = !connected;
  });
  // One point a second, whether or not something happened.
  setInterval(() => {
    if (!last || document.hidden) return;
    rates.push(last.per_second);
    if (rates.length > KEPT) rates.shift();
    if (rates.length > 1 || drawn++) drawSpark(root.querySelector("[data-spark]"), rates);
  }, 1000);
}
