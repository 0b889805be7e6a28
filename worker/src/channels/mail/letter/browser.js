// Judges every mail of the page as a reader meets it: nothing to scroll sideways, nothing too faint, nothing too small to read or to tap.
"use strict";

const MIN_CONTRAST = 4.5; // WCAG 1.4.3, for text of any size
const MIN_TARGET = 44; // CSS pixels, WCAG 2.5.5
const MIN_FONT = 13;
const BLACK = [0, 0, 0, 1];
const WHITE = [255, 255, 255, 1];

function colour(text) {
  const parts = text.match(/[\d.]+/g).map(Number);
  return [parts[0], parts[1], parts[2], parts.length > 3 ? parts[3] : 1];
}

function over(top, bottom) {
  return [0, 1, 2].map((i) => top[i] * top[3] + bottom[i] * (1 - top[3])).concat(1);
}

function luminance(rgb) {
  const [r, g, b] = rgb.map((value) => {
    const part = value / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function contrast(a, b) {
  const [light, dark] = [luminance(a), luminance(b)].sort((x, y) => y - x);
  return (light + 0.05) / (dark + 0.05);
}

function background(element, view) {
  const layers = [];
  for (let at = element; at; at = at.parentElement) {
    layers.push(colour(view.getComputedStyle(at).backgroundColor));
    if (layers.at(-1)[3] === 1) break;
  }
  const canvas = view.matchMedia("(prefers-color-scheme: dark)").matches ? BLACK : WHITE;
  return layers.reduceRight((below, layer) => over(layer, below), canvas);
}

function judge(frame) {
  const view = frame.contentWindow;
  const page = view.document;
  const problems = new Set();
  if (page.documentElement.scrollWidth > page.documentElement.clientWidth) problems.add("scrolls sideways");
  const words = page.createTreeWalker(page.body, NodeFilter.SHOW_TEXT);
  let texts = 0;
  for (let node = words.nextNode(); node; node = words.nextNode()) {
    const range = page.createRange();
    range.selectNodeContents(node);
    const box = range.getBoundingClientRect();
    if (!node.data.trim() || box.width === 0) continue;
    texts += 1;
    const says = node.data.trim().slice(0, 40);
    const style = view.getComputedStyle(node.parentElement);
    const behind = background(node.parentElement, view);
    const ratio = contrast(over(colour(style.color), behind), behind);
    if (ratio < MIN_CONTRAST) problems.add(`faint: ${ratio.toFixed(2)} "${says}"`);
    if (parseFloat(style.fontSize) < MIN_FONT) problems.add(`small: ${style.fontSize} "${says}"`);
    if (box.left < 0 || box.right > page.documentElement.clientWidth + 0.5) problems.add(`beyond the edge: "${says}"`);
  }
  for (const link of page.links) {
    const box = link.getBoundingClientRect();
    if (box.width < MIN_TARGET || box.height < MIN_TARGET) problems.add(`hard to tap: ${box.width} by ${box.height}`);
  }
  const bright = luminance(background(page.body, view));
  return {
    name: frame.dataset.name,
    width: page.documentElement.clientWidth,
    is_dark: view.matchMedia("(prefers-color-scheme: dark)").matches && bright < 0.1,
    is_light: view.matchMedia("(prefers-color-scheme: light)").matches && bright > 0.7,
    texts,
    links: page.links.length,
    problems: [...problems],
  };
}

addEventListener("load", () => {
  const frames = [...document.querySelectorAll("iframe")];
  document.getElementById("judged").textContent = JSON.stringify(frames.map(judge));
  for (const frame of frames) frame.style.height = `${frame.contentDocument.documentElement.scrollHeight}px`;
});
