// Small things that several scripts need.

const language = document.documentElement.lang;

/** A number as people of the page's language write it. */
export const grouped = (number) => Number(number).toLocaleString(language);

/** A text with its `{n}` filled in. */
export const filled = (template, number) => template.replace("{n}", grouped(number));

/**
 * Server-sent events while the page is looked at. A browser allows few connections per site, so a hidden tab gives its
 * own back; coming back to it connects anew, and the first event brings it up to date.
 */
export function follow(url, name, handle, connected = () => {}) {
  let source = null;
  const open = () => {
    if (source) return;
    source = new EventSource(url);
    source.addEventListener(name, (event) => handle(JSON.parse(event.data)));
    source.addEventListener("open", () => connected(true));
    source.addEventListener("error", () => {
      connected(false);
      // The browser tries again by itself unless the server refused: then once more, later.
      if (source?.readyState === EventSource.CLOSED) {
        close();
        setTimeout(() => document.hidden || open(), 5000);
      }
    });
  };
  const close = () => {
    source?.close();
    source = null;
    connected(false);
  };
  document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
  addEventListener("pagehide", close);
  if (!document.hidden) open();
  return close;
}
