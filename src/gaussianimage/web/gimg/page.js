/** A page with one picture, which the page itself holds, to zoom into without end. */
import { fromDataUrl, loadPicture } from './client.js';
import { Stage } from './stage.js';
import { zoomText } from './text.js';

async function showPage() {
  const get = (/** @type {string} */ id) => /** @type {HTMLElement} */ (document.getElementById(id));
  const stage = new Stage(get('stage'));
  const tell = () => (get('zoom').textContent = zoomText(stage.zoom));
  const ellipses = get('ellipses');
  const toggle = () => {
    stage.mode = stage.mode === 'ellipses' ? 'picture' : 'ellipses';
    ellipses.setAttribute('aria-pressed', String(stage.mode === 'ellipses'));
  };
  stage.addEventListener('view', tell);
  stage.addEventListener('drawn', tell);
  ellipses.onclick = toggle;
  get('in').onclick = () => stage.zoomBy(1.6);
  get('out').onclick = () => stage.zoomBy(1 / 1.6);
  get('zoom').onclick = () => stage.fit();
  addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    /** @type {Record<string, () => void>} */
    const actions = {
      '+': () => stage.zoomBy(1.6),
      '=': () => stage.zoomBy(1.6),
      '-': () => stage.zoomBy(1 / 1.6),
      0: () => stage.fit(),
      e: toggle,
      ArrowLeft: () => stage.panBy(60, 0),
      ArrowRight: () => stage.panBy(-60, 0),
      ArrowUp: () => stage.panBy(0, 60),
      ArrowDown: () => stage.panBy(0, -60),
    };
    const action = actions[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  });
  const [{ name, alt, data }] = JSON.parse(get('gimg-files').textContent ?? '').files;
  document.title = name;
  get('caption').textContent = name;
  get('stage').setAttribute('role', 'img');
  get('stage').setAttribute('aria-label', alt);
  const fail = (/** @type {string} */ message) => {
    get('message').textContent = `${name}: ${message}`;
    get('message').hidden = false;
    get('hint').hidden = true;
  };
  stage.addEventListener('error', (event) => fail(/** @type {ErrorEvent} */ (event).message));
  try {
    await loadPicture(fromDataUrl(data), { onProgress: (picture) => stage.show(picture) });
  } catch (error) {
    fail(/** @type {Error} */ (error).message);
  }
}

if (typeof document !== 'undefined') showPage();
