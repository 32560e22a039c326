// The contrast of every visible text with what is behind it, by WCAG 2.2's formula; those below level AA's bound.
() => {
  const parts = (text) => {
    const numbers = (text.match(/-?[\d.]+(e-?\d+)?/g) || []).map(Number);
    // "color(srgb r g b / a)" runs from 0 to 1, "rgb(r, g, b)" to 255.
    const scale = text.startsWith("color(") ? 255 : 1;
    return [...numbers.slice(0, 3).map((n) => n * scale), numbers.length > 3 ? numbers[3] : 1];
  };
  const over = (top, below) => [0, 1, 2].map((i) => top[i] * top[3] + below[i] * (1 - top[3])).concat(1);
  const luminance = (colour) => {
    const [r, g, b] = colour.slice(0, 3).map((n) => {
      const c = n / 255;
      return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ratio = (one, other) => {
    const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b);
    return (light + 0.05) / (dark + 0.05);
  };
  const grounds = new Map();
  const ground = (element) => {
    if (!element) return [255, 255, 255, 1];
    if (!grounds.has(element)) {
      grounds.set(element, over(parts(getComputedStyle(element).backgroundColor), ground(element.parentElement)));
    }
    return grounds.get(element);
  };
  const shown = (element) =>
    element.checkVisibility({ opacityProperty: true, visibilityProperty: true }) &&
    element.getClientRects().length > 0 &&
    // Texts for screen readers alone are clipped to a point.
    element.getBoundingClientRect().width > 1.5;

  // MathJax draws a formula's letters by style sheet, so its elements stand for them.
  const elements = new Set(document.querySelectorAll("mjx-math"));
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (walker.currentNode.textContent.trim() && !element.closest("mjx-container, script, style, noscript")) {
      elements.add(element);
    }
  }
  const problems = new Map();
  let measured = 0;
  for (const element of elements) {
    if (!shown(element)) continue;
    measured += 1;
    const style = getComputedStyle(element);
    const behind = ground(element);
    const found = ratio(over(parts(style.color), behind), behind);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && parseInt(style.fontWeight) >= 700);
    const wanted = large ? 3 : 4.5;
    if (found < wanted) {
      const kind = `${style.color} on rgb(${behind.slice(0, 3).map(Math.round)}): ${found.toFixed(2)} < ${wanted}`;
      const name = `${element.tagName.toLowerCase()}.${element.className} “${element.textContent.trim().slice(0, 40)}”`;
      problems.set(kind, [...(problems.get(kind) || []), name]);
    }
  }
  return {
    measured,
    problems: [...problems].map(([kind, names]) => `${kind}, ${names.length} times, as in ${names[0]}`),
  };
}
