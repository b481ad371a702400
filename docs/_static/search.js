// Puts an excerpt under each result of the search. The texts are in excerpts.js, which a browser
// also loads in a folder, where it refuses to fetch pages.
(() => {
  const LENGTH = 220;
  const query = new URLSearchParams(location.search).get("q") || "";
  const words = query.toLowerCase().match(/[\p{L}\p{N}_]+/gu) || [];
  // The search compares stems: "paused" also finds "pause".
  const stems = words.map((word) => (word.length > 5 ? word.slice(0, -2) : word));

  const place = (text) => {
    const low = text.toLowerCase();
    const found = [...words, ...stems].map((word) => low.indexOf(word)).filter((at) => at >= 0);
    return found.length ? found[0] : -1;
  };

  const textOf = (href) => {
    const [path, anchor] = href.split("#");
    const sections = (window.EXCERPTS || {})[path.replace(/\.html$/, "")] || [];
    const meant = anchor && sections.find(([ids]) => ids.includes(decodeURIComponent(anchor)));
    if (meant) return meant[1];
    const telling = sections.find(([, text]) => place(text) >= 0) || sections.find(([, text]) => text);
    return telling ? telling[1] : "";
  };

  const excerpt = (text) => {
    let from = Math.max(0, place(text) - LENGTH / 3);
    if (from > 0) from = text.indexOf(" ", from) + 1;
    let to = from + LENGTH;
    if (to < text.length) to = text.lastIndexOf(" ", to);
    return (from > 0 ? "… " : "") + text.slice(from, to) + (to < text.length ? " …" : "");
  };

  const marked = (text) => {
    const paragraph = document.createElement("p");
    paragraph.className = "context";
    if (!stems.length) {
      paragraph.textContent = text;
      return paragraph;
    }
    const pattern = new RegExp(`((?:${stems.join("|")})[\\p{L}\\p{N}_]*)`, "giu");
    text.split(pattern).forEach((part, index) => {
      const node = index % 2 ? document.createElement("mark") : document.createTextNode(part);
      if (index % 2) node.textContent = part;
      paragraph.appendChild(node);
    });
    return paragraph;
  };

  const explain = (item) => {
    const link = item.querySelector("a");
    if (!link || item.querySelector(".context")) return;
    const text = textOf(link.getAttribute("href"));
    if (text) item.appendChild(marked(excerpt(text)));
  };

  document.addEventListener("DOMContentLoaded", () => {
    const results = document.getElementById("search-results");
    const explainAll = () => results.querySelectorAll("li").forEach(explain);
    new MutationObserver(explainAll).observe(results, { childList: true, subtree: true });
    explainAll();
  });
})();
