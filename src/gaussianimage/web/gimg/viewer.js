/** The viewer's page: files, facts, and the controls around a stage. */
import { drawPicture, fromDataUrl, loadPicture } from './client.js';
import { finishOf } from './renderer.js';
import { Stage } from './stage.js';
import { groupedText, sizeText, zoomText } from './text.js';
import { wholeView } from './view.js';

/** @typedef {import('./gimg.js').Picture} Picture */
/** @typedef {import('./stage.js').StageMode} StageMode */

/**
 * @typedef {object} Entry
 * @property {string} name
 * @property {string | Blob | Uint8Array} source
 */

/**
 * @typedef {object} Reference
 * @property {string} name
 * @property {number} bytes
 * @property {ImageBitmap} bitmap in the colors of the screen, to be shown
 * @property {ImageBitmap} samples as they are in the file, to be measured
 */

/** @type {StageMode[]} */
const MODES = ['picture', 'ellipses', 'split', 'difference'];
const START = [0x8b, 0x47, 0x49, 0x4d, 0x47];

/**
 * @template {HTMLElement} T
 * @param {string} id
 * @returns {T}
 */
function byId(id) {
  return /** @type {T} */ (document.getElementById(id));
}

/** The whole page. */
class Viewer {
  #stage = new Stage(byId('stage'));
  /** @type {Entry[]} */
  #entries = [];
  #current = -1;
  /** @type {Picture | null} */
  #picture = null;
  /** @type {Reference | null} */
  #reference = null;
  /** @type {AbortController | null} */
  #loading = null;
  #layers = 0;
  #milliseconds = 0;
  /** @type {number | null} */
  #psnr = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #measuring = undefined;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #toasting = undefined;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #playing = undefined;

  constructor() {
    this.#listen();
    this.#setMode('picture');
    this.#setGain();
    this.#readPage();
  }

  // Files ---------------------------------------------------------------------------------------

  /** Opens what the page holds, and what its address names: ?url=…&reference=… */
  async #readPage() {
    const parameters = new URLSearchParams(location.search);
    /** @type {Entry[]} */
    const entries = parameters.getAll('url').map((url) => ({ name: lastPart(url), source: url }));
    const references = parameters.getAll('reference').map((url) => ({ name: lastPart(url), source: url }));
    const held = byId('gimg-files')?.textContent;
    if (held) {
      const { files, reference } = JSON.parse(held);
      for (const { name, data } of files) entries.push({ name, source: fromDataUrl(data) });
      if (reference) references.push({ name: reference.name, source: reference.data });
    }
    const wanted = /** @type {StageMode | null} */ (parameters.get('mode'));
    if (references.length) await this.#openReference(references[references.length - 1]);
    if (entries.length) await this.#add(entries);
    if (wanted && MODES.includes(wanted)) this.#setMode(wanted);
  }

  /**
   * Takes files that were dropped, chosen or pasted: .gimg files, and photos to compare with.
   * @param {Iterable<File>} files
   */
  async #take(files) {
    const entries = [];
    for (const file of files) {
      const start = new Uint8Array(await file.slice(0, 8).arrayBuffer());
      if (START.every((byte, i) => start[i] === byte)) entries.push({ name: file.name, source: file });
      else await this.#openReference({ name: file.name, source: file });
    }
    if (entries.length) await this.#add(entries);
  }

  /** @param {Entry[]} entries */
  async #add(entries) {
    const first = this.#entries.length;
    this.#entries.push(...entries);
    const select = byId('files');
    select.replaceChildren(...this.#entries.map(({ name }, i) => new Option(name, String(i))));
    select.hidden = this.#entries.length < 2;
    await this.#open(first);
  }

  /** @param {number} index */
  async #open(index) {
    if (!this.#entries[index]) return;
    this.#stop();
    this.#loading?.abort();
    const loading = new AbortController();
    this.#loading = loading;
    this.#current = index;
    const { name, source } = this.#entries[index];
    const title = byId('title');
    title.textContent = name;
    title.hidden = this.#entries.length > 1;
    /** @type {HTMLSelectElement} */ (byId('files')).value = String(index);
    document.title = `${name} – gimg viewer`;
    const begin = performance.now();
    let last = '';
    try {
      const loaded = await loadPicture(source, {
        signal: loading.signal,
        onProgress: (picture) => {
          const key = `${picture.layers.length} ${picture.complete}`;
          if (this.#loading !== loading || last === key) return;
          last = key;
          this.#milliseconds = performance.now() - begin;
          this.#show(picture);
        },
      });
      const notice = (await finishOf(loaded))?.notice;
      if (notice && this.#loading === loading) this.#say(`${name}: ${notice}`, true);
    } catch (error) {
      if (this.#loading !== loading) return;
      const { picture, message } = /** @type {Error & {picture?: Picture}} */ (error);
      const shown = picture?.layers.length;
      if (shown) this.#show(/** @type {Picture} */ (picture));
      else this.#show(null);
      const part = shown && !picture?.tiles ? `; shown are the ${shown} layers before` : '';
      this.#say(`${name}: ${message}${part}`);
    }
  }

  /** @param {Entry} entry */
  async #openReference({ name, source }) {
    try {
      /** @type {Blob} */
      let blob;
      if (typeof source !== 'string') blob = source instanceof Blob ? source : new Blob();
      else if (source.startsWith('data:')) blob = new Blob([/** @type {any} */ (fromDataUrl(source))]);
      else {
        const answer = await fetch(source);
        if (!answer.ok) throw new Error(`the server answers ${answer.status}`);
        blob = await answer.blob();
      }
      const bitmap = await createImageBitmap(blob);
      const samples = await createImageBitmap(blob, { colorSpaceConversion: 'none' });
      this.#reference = { name, bytes: blob.size, bitmap, samples };
      this.#stage.reference = bitmap;
      if (this.#picture) this.#setMode('split');
      this.#update();
    } catch {
      this.#say(`${name}: this is neither a .gimg file nor a picture that the browser can show`);
    }
  }

  /** @param {Picture | null} picture */
  #show(picture) {
    this.#picture = picture;
    this.#layers = picture?.layers.length ?? 0;
    byId('empty').hidden = picture !== null;
    byId('dock').hidden = picture === null;
    this.#update();
  }

  // What is shown -------------------------------------------------------------------------------

  /** @param {number} layers */
  #setLayers(layers) {
    const most = this.#picture?.layers.length ?? 0;
    this.#layers = Math.min(Math.max(layers, 0), most);
    this.#update();
  }

  /** @param {StageMode} mode */
  #setMode(mode) {
    if (!this.#reference && (mode === 'split' || mode === 'difference')) {
      if (this.#picture) this.#say('Drop a photo here to compare the picture with it', true);
      return;
    }
    this.#stage.mode = mode;
    for (const button of document.querySelectorAll('[data-mode]')) {
      const checked = /** @type {HTMLElement} */ (button).dataset.mode === mode;
      button.setAttribute('aria-checked', String(checked));
    }
    this.#update();
  }

  #setGain() {
    const gain = 2 ** Number(/** @type {HTMLInputElement} */ (byId('gain')).value);
    this.#stage.gain = gain;
    byId('gain-value').textContent = `${Number(gain.toPrecision(2))} ×`;
  }

  #update() {
    const picture = this.#picture;
    const reference = this.#reference;
    const { mode } = this.#stage;
    byId('gain-row').hidden = mode !== 'difference';
    byId('labels').hidden = mode !== 'split' || !picture || !reference;
    if (!picture) {
      this.#stage.show(null);
      byId('facts').replaceChildren();
      return;
    }
    const { header, layers } = picture;
    const layer = layers[this.#layers - 1];
    const gaussians = layer?.gaussians ?? 0;
    const whole = this.#layers === layers.length;
    const bytes = whole ? picture.bytes : (layer?.bytes ?? 0);
    this.#stage.show(picture, gaussians);
    const slider = /** @type {HTMLInputElement} */ (byId('layers'));
    slider.max = String(layers.length);
    slider.value = String(this.#layers);
    byId('layers-row').hidden = picture.tiles !== null || header.layers === 0;
    byId('grain').hidden = !picture.chunks.has('gRAN');
    byId('layers-value').textContent = `${this.#layers} of ${header.layers} layers`;
    const pixels = header.width * header.height;
    const facts = [
      [`${groupedText(header.width)} × ${groupedText(header.height)}`, ''],
      [groupedText(gaussians), gaussians === 1 ? 'Gaussian' : 'Gaussians'],
      [sizeText(bytes), `· ${((8 * bytes) / pixels).toFixed(3)} bpp`],
    ];
    if (picture.tiles) facts.push([groupedText(picture.tiles.count), picture.tiles.count === 1 ? 'tile' : 'tiles']);
    if (this.#psnr !== null) facts.push([`${this.#psnr.toFixed(2)} dB`, 'PSNR']);
    byId('facts').replaceChildren(
      ...facts.map(([value, unit]) => {
        const item = document.createElement('li');
        const bold = document.createElement('b');
        bold.textContent = value;
        item.append(bold, unit && ` ${unit}`);
        return item;
      }),
    );
    if (reference) {
      byId('left').textContent = `${reference.name} · ${sizeText(reference.bytes)}`;
      byId('right').textContent = `${this.#entries[this.#current]?.name} · ${sizeText(bytes)}`;
    }
    this.#measureSoon();
  }

  /** Measures the PSNR when the layers have not changed for a moment. */
  #measureSoon() {
    clearTimeout(this.#measuring);
    const picture = this.#picture;
    const reference = this.#reference;
    const count = picture?.layers[this.#layers - 1]?.gaussians ?? 0;
    const key = [picture, reference, count];
    if (measured && key.every((value, i) => value === measured?.[i])) return;
    this.#measuring = setTimeout(async () => {
      measured = key;
      this.#psnr = picture && reference ? await measurePsnr(picture, count, reference.samples) : null;
      if (measured === key) this.#update();
    }, 200);
  }

  #switchGrain() {
    this.#stage.grain = !this.#stage.grain;
    byId('grain').setAttribute('aria-pressed', String(this.#stage.grain));
  }

  #showZoom() {
    byId('zoom').textContent = zoomText(this.#stage.zoom);
  }

  /** Shows the layers one after another. */
  #play() {
    if (this.#playing) return this.#stop();
    const most = this.#picture?.layers.length ?? 0;
    let next = this.#layers === most ? 0 : this.#layers;
    this.#setLayers(next);
    this.#playing = setInterval(() => {
      this.#setLayers(++next);
      if (next >= most) this.#stop();
    }, Math.min(900, 4000 / Math.max(1, most)));
  }

  #stop() {
    clearInterval(this.#playing);
    this.#playing = undefined;
  }

  /**
   * @param {string} message
   * @param {boolean} [hint]
   */
  #say(message, hint = false) {
    const toast = byId('toast');
    toast.textContent = message;
    toast.style.borderLeftColor = hint ? 'var(--accent)' : '';
    toast.hidden = false;
    clearTimeout(this.#toasting);
    this.#toasting = setTimeout(() => (toast.hidden = true), hint ? 4000 : 12000);
  }

  // Input ---------------------------------------------------------------------------------------

  #listen() {
    const stage = this.#stage;
    const picker = /** @type {HTMLInputElement} */ (byId('picker'));
    const pick = () => picker.click();
    picker.onchange = async () => {
      await this.#take(picker.files ?? []);
      picker.value = '';
    };
    byId('open').onclick = byId('choose').onclick = pick;
    byId('theme').onclick = switchTheme;
    byId('help').onclick = () => this.#help();
    byId('in').onclick = () => stage.zoomBy(1.6);
    byId('out').onclick = () => stage.zoomBy(1 / 1.6);
    byId('zoom').onclick = () => stage.fit();
    byId('play').onclick = () => this.#play();
    byId('grain').onclick = () => this.#switchGrain();
    byId('layers').oninput = (event) => {
      this.#stop();
      this.#setLayers(Number(/** @type {HTMLInputElement} */ (event.target).value));
    };
    byId('gain').oninput = () => this.#setGain();
    byId('files').onchange = (event) =>
      this.#open(Number(/** @type {HTMLSelectElement} */ (event.target).value));
    byId('modes').onclick = (event) => {
      const button = /** @type {Element} */ (event.target).closest('button');
      if (button) this.#setMode(/** @type {StageMode} */ (button.dataset.mode));
    };
    byId('toast').onclick = () => (byId('toast').hidden = true);
    stage.addEventListener('view', () => this.#showZoom());
    stage.addEventListener('drawn', () => this.#showZoom());
    stage.addEventListener('error', (event) => this.#say(/** @type {ErrorEvent} */ (event).message));
    addEventListener('keydown', (event) => this.#key(event));
    let depth = 0;
    addEventListener('dragenter', (event) => {
      event.preventDefault();
      depth++;
      byId('drop').hidden = false;
    });
    addEventListener('dragleave', () => {
      if (--depth <= 0) byId('drop').hidden = true;
    });
    addEventListener('dragover', (event) => event.preventDefault());
    addEventListener('drop', (event) => {
      event.preventDefault();
      depth = 0;
      byId('drop').hidden = true;
      this.#take([...(event.dataTransfer?.files ?? [])]);
    });
    addEventListener('paste', (event) => this.#take([...(event.clipboardData?.files ?? [])]));
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const target = /** @type {HTMLElement} */ (event.target);
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (target.matches('select, input') || byId('keys').hasAttribute('open')) return;
    if (event.key === ' ' && target.matches('button')) return;
    const stage = this.#stage;
    const step = event.shiftKey ? 200 : 60;
    /** @type {Record<string, () => void>} */
    const actions = {
      '+': () => stage.zoomBy(1.6),
      '=': () => stage.zoomBy(1.6),
      '-': () => stage.zoomBy(1 / 1.6),
      0: () => stage.fit(),
      9: () => stage.zoomTo(1),
      ArrowLeft: () => stage.panBy(step, 0),
      ArrowRight: () => stage.panBy(-step, 0),
      ArrowUp: () => stage.panBy(0, step),
      ArrowDown: () => stage.panBy(0, -step),
      '[': () => this.#setLayers(this.#layers - 1),
      ']': () => this.#setLayers(this.#layers + 1),
      ' ': () => this.#play(),
      ',': () => this.#open(this.#current - 1),
      '.': () => this.#open(this.#current + 1),
      o: () => byId('open').click(),
      t: switchTheme,
      g: () => this.#switchGrain(),
      f: () => (document.fullscreenElement ? document.exitFullscreen() : document.body.requestFullscreen()),
      '?': () => this.#help(),
    };
    MODES.forEach((mode, i) => (actions[i + 1] = () => this.#setMode(mode)));
    const action = actions[event.key] ?? actions[event.key.toLowerCase()];
    if (!action) return;
    event.preventDefault();
    action();
  }

  #help() {
    const how = this.#stage.renderer === 'webgl2' ? 'the GPU (WebGL2)' : 'the CPU';
    byId('about').textContent = this.#picture
      ? `Loaded and decoded in ${Math.round(this.#milliseconds)} ms; drawn on ${how}.`
      : '';
    /** @type {HTMLDialogElement} */ (byId('keys')).showModal();
  }
}

/** @type {unknown[] | null} what the PSNR was measured of */
let measured = null;

/**
 * @param {Picture} picture
 * @param {number} count
 * @param {ImageBitmap} reference
 * @returns {Promise<number | null>} in dB; null if the sizes differ or the picture has alpha
 */
async function measurePsnr(picture, count, reference) {
  const { width, height } = picture.header;
  if (reference.width !== width || reference.height !== height || picture.hasAlpha) return null;
  if (width * height > 2 ** 25 || picture.tiles) return null;
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext('2d', { willReadFrequently: true });
  if (!context) return null;
  context.drawImage(reference, 0, 0);
  const expected = context.getImageData(0, 0, width, height).data;
  const { data } = await drawPicture(picture, wholeView(picture, width, height), count);
  let sum = 0;
  for (let i = 0; i < data.length; i += 4) {
    for (let c = i; c < i + 3; c++) sum += (data[c] - expected[c]) ** 2;
  }
  return 10 * Math.log10((255 * 255 * 3 * width * height) / sum);
}

function switchTheme() {
  const root = document.documentElement;
  const dark = root.dataset.theme
    ? root.dataset.theme === 'dark'
    : matchMedia('(prefers-color-scheme: dark)').matches;
  root.dataset.theme = dark ? 'light' : 'dark';
}

/** @param {string} url */
function lastPart(url) {
  try {
    const { pathname, protocol } = new URL(url, location.href);
    if (protocol === 'data:') return 'picture.gimg';
    return decodeURIComponent(pathname.split('/').pop() || url);
  } catch {
    return url;
  }
}

if (typeof document !== 'undefined') new Viewer();
