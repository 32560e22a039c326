/* Lines do not begin with the punctuation after a formula, and a formula that is a little too wide for the page is
   made smaller. One that is much too wide scrolls, as the theme has it. */
"use strict";

(() => {
  const SMALLEST = 0.72; // of the text's size: below it indices cannot be read

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

  const fit = () => {
    for (const formula of document.querySelectorAll("mjx-container[display=true]")) {
      // MathJax's own size makes its font as high as the text's.
      const size = (formula.dataset.size ??= formula.style.fontSize || "100%");
      formula.style.fontSize = size;
      const share = formula.clientWidth / formula.scrollWidth;
      // Rounding of MathJax's widths could leave a pixel too many.
      if (share < 1 && share >= SMALLEST) formula.style.fontSize = `${0.99 * share * parseFloat(size)}%`;
    }
  };

  join();
  window.addEventListener("load", () => window.MathJax?.startup?.promise?.then(fit));
  window.addEventListener("resize", fit);
})();
