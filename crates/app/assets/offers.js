// Live stock: on an offer's page by its stream, in the list by asking from time to time.
import { keepTime, serverNow } from "./clock.js";
import { filled, follow, grouped } from "./tools.js";

function drawBar(bar, stock, sold, held) {
  const part = (units) => (stock > 0 ? Math.min(1000, Math.floor((units * 1000) / stock)) : 0);
  const [first, second] = bar.querySelectorAll("rect");
  first.setAttribute("width", part(sold));
  second.setAttribute("x", part(sold));
  second.setAttribute("width", part(sold + held) - part(sold));
}

function drawText(element, available) {
  element.textContent = available > 0 ? filled(element.dataset.left, available) : element.dataset.none;
}

function page(root) {
  const button = root.querySelector("[data-buy]");
  const note = root.querySelector("[data-held-note]");
  let units = null;

  const draw = () => {
    if (units) {
      const stock = units.available + units.held + units.sold;
      for (const field of root.querySelectorAll("[data-units]")) field.textContent = grouped(units[field.dataset.units]);
      drawText(root.querySelector("[data-stock-text]"), units.available);
      drawBar(root.querySelector("[data-bar]"), stock, units.sold, units.held);
      root.toggleAttribute("data-empty", units.available <= 0);
      if (note) note.hidden = !(units.held > 0);
    }
    const free = root.dataset.state === "open" && !root.hasAttribute("data-empty");
    if (button && button.getAttribute("aria-busy") !== "true") button.disabled = !free;
    root.classList.toggle("is-sold_out", root.dataset.state === "open" && !free);
  };
  // The opening and the end need no reload: the page knows when, and the server decides anyway.
  const turn = () => {
    const now = serverNow();
    if (root.dataset.state === "upcoming" && now >= Date.parse(root.dataset.opens)) root.dataset.state = "open";
    if (root.dataset.closes && now >= Date.parse(root.dataset.closes)) root.dataset.state = "ended";
    draw();
  };
  keepTime().then(() => {
    turn();
    if (root.dataset.closes) setInterval(turn, 1000);
  });
  root.addEventListener("reached", turn);

  if (root.dataset.state !== "ended") {
    follow(`/offers/${root.dataset.offerPage}/stream`, "stock", (event) => {
      units = event;
      draw();
    }, (connected) => {
      root.querySelector("[data-live]").hidden = !connected;
    });
  }
}

function list(root) {
  const cards = () => new Map([...root.querySelectorAll("[data-offer]")].map((card) => [card.dataset.offer, card]));
  const ask = async () => {
    if (document.hidden) return;
    const answer = await fetch(`/api/v1/offers${root.dataset.offers}`, { cache: "no-store" });
    if (!answer.ok) return;
    const shown = cards();
    for (const offer of (await answer.json()).items) {
      const card = shown.get(offer.offer_id);
      const text = card?.querySelector("[data-stock-text]");
      if (!text) continue;
      drawText(text, offer.available);
      drawBar(card.querySelector("[data-bar]"), offer.stock, offer.sold, offer.held);
    }
  };
  // Not all visitors in the same instant.
  const loop = () => setTimeout(() => ask().catch(() => {}).finally(loop), 4000 + Math.random() * 2000);
  loop();
  // What opens moves to another shelf.
  root.addEventListener("reached", () => setTimeout(() => location.reload(), 500 + Math.random() * 1500));
}

const offer = document.querySelector("[data-offer-page]");
if (offer) page(offer);
const offers = document.querySelector("[data-offers]");
if (offers && offers.childElementCount > 0) list(offers);
