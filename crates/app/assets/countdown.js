// Countdowns: every element with `data-countdown` (a moment). At its end it says so by an event, `reached`.
import { keepTime, serverNow } from "./clock.js";

const two = (number) => String(number).padStart(2, "0");

function parts(milliseconds) {
  const seconds = Math.max(0, Math.ceil(milliseconds / 1000));
  return [Math.floor(seconds / 86400), Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60, seconds % 60];
}

function boxes(element, [days, hours, minutes, seconds]) {
  const names = element.dataset.boxes.split("|");
  let shown = [[days, names[0]], [hours, names[1]], [minutes, names[2]], [seconds, names[3]]];
  if (days === 0) shown = shown.slice(hours === 0 && "short" in element.dataset ? 2 : 1);
  if (element.childElementCount !== shown.length) {
    element.replaceChildren(...shown.map(() => document.createElement("span")));
    for (const box of element.children) box.append(document.createElement("b"), document.createElement("i"));
  }
  shown.forEach(([number, name], place) => {
    const [figure, label] = element.children[place].children;
    figure.textContent = two(number);
    label.textContent = name;
  });
}

function line(element, [days, hours, minutes, seconds]) {
  const day = days > 0 ? `${element.dataset.days.replace("{n}", days)} ` : "";
  element.textContent = `${day}${two(hours)}:${two(minutes)}:${two(seconds)}`;
}

// Before the server's time is known a visitor's clock that is ahead would end what has not begun.
let isKnown = false;

function tick() {
  for (const element of document.querySelectorAll("[data-countdown]")) {
    const left = Date.parse(element.dataset.countdown) - serverNow();
    if (element.dataset.boxes) boxes(element, parts(left));
    else line(element, parts(left));
    element.classList.toggle("urgent", left < 60000);
    if (left > 0) {
      delete element.dataset.reached;
    } else if (isKnown && !element.dataset.reached) {
      element.dataset.reached = "yes";
      if (element.dataset.done) element.textContent = element.dataset.done;
      element.dispatchEvent(new CustomEvent("reached", { bubbles: true }));
    }
  }
}

/** Shows the right time at once, after something was put into the page. */
export const refresh = tick;

if (document.querySelector("[data-countdown], [data-panel]")) {
  tick();
  keepTime().then(() => {
    isKnown = true;
    tick();
  });
  setInterval(tick, 250);
}
