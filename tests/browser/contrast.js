// Every text of the page whose colour is too near to its ground, by WCAG 2, level AA (1.4.3).
() => {
  const parse = text => {
    const [r, g, b, a = 1] = text.match(/[\d.]+/g).map(Number);
    return {r, g, b, a};
  };
  const over = (top, below) => {
    const mix = (x, y) => x * top.a + y * (1 - top.a);
    return {r: mix(top.r, below.r), g: mix(top.g, below.g), b: mix(top.b, below.b), a: 1};
  };
  const light = ({r, g, b}) => {
    const [x, y, z] = [r, g, b].map(v => v / 255).map(v =>
      v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  // The canvas below everything is white in the light scheme, black in the dark one.
  const dark = getComputedStyle(document.documentElement).colorScheme === 'dark';
  const canvas = dark ? parse('rgb(0,0,0)') : parse('rgb(255,255,255)');
  const ground = element => {
    const layers = [];
    for (let e = element; e; e = e.parentElement) {
      const style = getComputedStyle(e);
      if (style.backgroundImage !== 'none' || style.opacity !== '1') {
        throw new Error('neither pictures nor opacity are understood: ' + e.outerHTML);
      }
      layers.push(parse(style.backgroundColor));
    }
    return layers.reverse().reduce((below, top) => over(top, below), canvas);
  };
  const texts = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const {data, parentElement} = walker.currentNode;
    if (data.trim() && parentElement.checkVisibility() && parentElement.closest('style') === null) {
      texts.push([parentElement, data.trim()]);
    }
  }
  for (const field of document.querySelectorAll('input, select, textarea')) {
    if (field.value && field.checkVisibility()) texts.push([field, field.name]);
  }
  const faint = [];
  for (const [element, text] of texts) {
    const style = getComputedStyle(element);
    const below = ground(element);
    const [x, y] = [light(over(parse(style.color), below)), light(below)].sort((a, b) => b - a);
    const ratio = (x + 0.05) / (y + 0.05);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    if (ratio < (large ? 3 : 4.5)) faint.push(`${ratio.toFixed(2)}: ${text}`);
  }
  return {texts: texts.length, faint};
}
