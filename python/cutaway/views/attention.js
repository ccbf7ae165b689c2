// The attention view comes alive: another layer or head, and what a token under the pointer attends to.
document.querySelectorAll('.attn:not([data-on])').forEach(root => {
  root.dataset.on = 1;
  const d = JSON.parse(root.dataset.w), $ = s => root.querySelector(s), all = s => [...root.querySelectorAll(s)];
  // d.queries: the shown key at which each row ends; d.earlier: 1 where a row begins with the sum of what is not shown.
  const length = d.queries.map(q => q + 1 + d.earlier), at = length.map((_, i) => length.slice(0, i).reduce((a, b) => a + b, 0));
  const size = at.at(-1) + length.at(-1), bytes = {}, tokens = all('.flow .tok'), map = $('.big .map');
  let layer = d.layer, head = d.head, query = d.queries.length - 1;
  const row = (h, i) => {
    bytes[layer] ||= Uint8Array.from(atob(d.layers[layer]), c => c.charCodeAt(0));
    return bytes[layer].subarray(h * size + at[i], h * size + at[i] + length[i]);
  };
  const keys = (h, i) => row(h, i).subarray(d.earlier);
  const weight = byte => (byte / 255) ** 2;
  const draw = (element, h, side) => {  // the same pooling as the first paint's
    const n = tokens.length - d.earlier, block = Math.max(1, Math.ceil(Math.max(n, d.queries.length) / side));
    const canvas = document.createElement('canvas');
    canvas.width = Math.ceil(n / block);
    canvas.height = Math.ceil(d.queries.length / block);
    const context = canvas.getContext('2d'), image = context.createImageData(canvas.width, canvas.height);
    d.queries.forEach((_, i) => keys(h, i).forEach((byte, k) => {
      const pixel = 4 * (Math.floor(i / block) * canvas.width + Math.floor(k / block)) + 3;
      image.data[pixel] = Math.max(image.data[pixel], byte);
    }));
    context.putImageData(image, 0, 0);
    element.style.setProperty('--m', element.style.getPropertyValue('--m').replace(/data:[^)"']*/, canvas.toDataURL()));
  };
  const name = i => tokens[i].firstChild.data;
  const percent = byte => (100 * weight(byte)).toFixed(byte > 80 ? 0 : 1) + ' %';
  const said = i => {
    const best = [...row(head, i)].map((byte, k) => [byte, k]).filter(b => b[0]).sort((a, b) => b[0] - a[0] || a[1] - b[1]);
    return best.slice(0, 6).map(([byte, k]) => `'${name(k)}' ${percent(byte)}`).join(', ');
  };
  const look = (i, key) => {
    query = i;
    const own = d.queries[i] + d.earlier, shares = row(head, i);
    tokens.forEach((token, k) => {
      token.style.setProperty('--v', k < shares.length ? (shares[k] / 255).toFixed(3) : 0);
      token.classList.toggle('query', k === own);
    });
    $('.big .line').style.setProperty('--i', i);
    tokens[own].querySelector('.tip p').textContent = said(i);
    $('.now').textContent = `layer ${layer}, head ${head}, query '${name(own)}'`
      + (key === undefined ? '' : ` → key '${name(key)}' ${percent(shares[key])}`);
  };
  const show = () => {
    draw(map, head, Infinity);
    map.setAttribute('aria-label', `attention pattern of layer ${layer}, head ${head}`);
    all('.head').forEach((button, h) => {
      draw(button.querySelector('.map'), h, 32);
      button.setAttribute('aria-pressed', h === head);
    });
    look(query);
  };
  const select = $('select');
  select.closest('.choose').hidden = false;
  select.addEventListener('change', () => { layer = +select.value; show(); });
  all('.head').forEach((button, h) => {
    button.disabled = false;
    button.addEventListener('click', () => { head = h; show(); });
  });
  d.queries.forEach((q, i) => ['pointerenter', 'focus'].forEach(type =>
    tokens[q + d.earlier].addEventListener(type, () => look(i))));
  const area = $('.big .area');
  let column;  // of the map: the key that was pointed at last
  const point = (i, k) => {
    if (!(i in d.queries)) return;
    column = k >= 0 && k <= d.queries[i] ? k : undefined;
    look(i, column === undefined ? undefined : column + d.earlier);
  };
  area.addEventListener('pointermove', e => {
    const box = map.getBoundingClientRect();
    point(Math.floor((e.clientY - box.top) / box.height * d.queries.length),
      Math.floor((e.clientX - box.left) / box.width * (tokens.length - d.earlier)));
  });
  area.tabIndex = 0;  // what the pointer reads off the map, the arrow keys do
  area.setAttribute('aria-label', 'the large map: arrow keys go from cell to cell');
  area.addEventListener('keydown', e => {
    const step = {ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0]}[e.key];
    if (!step) return;
    e.preventDefault();
    const i = Math.min(Math.max(query + step[0], 0), d.queries.length - 1);
    point(i, Math.min(Math.max((column ?? d.queries[query]) + step[1], 0), d.queries[i]));
  });
});
