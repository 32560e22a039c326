/* On a phone a figure may be wider than the page and scrolls by itself: then the keyboard must reach it. */
"use strict";

(() => {
  const mark = () => {
    for (const figure of document.querySelectorAll(".cell_output figure")) {
      if (figure.scrollWidth > figure.clientWidth) figure.tabIndex = 0;
      else figure.removeAttribute("tabindex");
    }
  };
  window.addEventListener("load", mark);
  window.addEventListener("resize", mark);
})();
