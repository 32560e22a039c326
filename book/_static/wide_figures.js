/* On a phone a figure may be wider than the page and scrolls by itself: then the keyboard must reach it.
   And lines do not begin with the punctuation after a formula. */
"use strict";

(() => {
  const mark = () => {
    for (const figure of document.querySelectorAll(".cell_output figure")) {
      if (figure.scrollWidth > figure.clientWidth) figure.tabIndex = 0;
      else figure.removeAttribute("tabindex");
    }
  };
  // A full stop or a bracket stays with the formula before it.
  const join = () => {
    for (const formula of document.querySelectorAll("span.math")) {
      const next = formula.nextSibling;
      const mark = next?.nodeType === Node.TEXT_NODE && next.data.match(/^[.,;:)]+/);
      if (!mark) continue;
      const together = document.createElement("span");
      together.style.whiteSpace = "nowrap";
      formula.replaceWith(together);
      next.data = next.data.slice(mark[0].length);
      together.append(formula, mark[0]);
    }
  };
  join();
  window.addEventListener("load", mark);
  window.addEventListener("resize", mark);
})();
