/**
 * The element <gimg-image>, which behaves as <img> does: alt, width, height, loading, object-fit and
 * the events load and error. It shows the first layers while the others arrive, and `placeholder` (a
 * data: address of a small .gimg file) or an <img> of `fallback` where the file cannot be shown.
 * `nograin` leaves the picture's grain out.
 */
import { fromDataUrl, loadPicture } from './client.js';
import { GimgError, decode } from './gimg.js';
import { drawOnto } from './renderer.js';
import { devicePixels } from './view.js';

/** @typedef {import('./gimg.js').Picture} Picture */

const STYLE = `
:host { display: inline-block; position: relative; overflow: hidden; vertical-align: baseline;
  max-inline-size: none; }
:host([hidden]) { display: none; }
canvas, img, slot { position: absolute; inset: 0; width: 100%; height: 100%; border-radius: inherit; }
img, ::slotted(img) { object-fit: inherit; object-position: inherit; }
slot { display: block; }
::slotted(img) { display: block; width: 100% !important; height: 100% !important; opacity: 0;
  transition: opacity 0.4s; }
:host([data-shown]) ::slotted(img) { opacity: 1; }
span { position: absolute; inset: 0; display: none; box-sizing: border-box; padding: 0.5em;
  border: 1px solid color-mix(in srgb, currentColor 30%, transparent); font: 0.85em system-ui, sans-serif;
  overflow: hidden; border-radius: inherit; }
:host([data-broken]) span { display: block; }
@media (prefers-reduced-motion: reduce) { ::slotted(img) { transition: none; } }
`;

/** Where a drawing lies in the box of an element, in device pixels. */
class Placement {
  /**
   * @param {CSSStyleDeclaration} style of the element
   * @param {number} boxWidth in device pixels
   * @param {number} boxHeight
   * @param {number} width of the picture in its pixels
   * @param {number} height
   * @param {number} ratio device pixels for a CSS pixel
   */
  constructor(style, boxWidth, boxHeight, width, height, ratio) {
    const contain = Math.min(boxWidth / width, boxHeight / height);
    const cover = Math.max(boxWidth / width, boxHeight / height);
    const scales = {
      contain,
      cover,
      none: ratio,
      'scale-down': Math.min(contain, ratio),
    };
    const scale = scales[/** @type {keyof typeof scales} */ (style.objectFit)];
    this.scaleX = scale ?? boxWidth / width;
    this.scaleY = scale ?? boxHeight / height;
    const [x = '50%', y = '50%'] = style.objectPosition.split(' ');
    this.x = place(x, boxWidth - width * this.scaleX, ratio);
    this.y = place(y, boxHeight - height * this.scaleY, ratio);
    this.left = Math.max(0, this.x);
    this.top = Math.max(0, this.y);
    this.right = Math.min(boxWidth, Math.round(this.x + width * this.scaleX));
    this.bottom = Math.min(boxHeight, Math.round(this.y + height * this.scaleY));
  }

  /** The part of the picture that the box shows. */
  get view() {
    return {
      width: Math.max(1, this.right - this.left),
      height: Math.max(1, this.bottom - this.top),
      left: (this.left - this.x) / this.scaleX,
      top: (this.top - this.y) / this.scaleY,
      scaleX: this.scaleX,
      scaleY: this.scaleY,
    };
  }
}

/**
 * @param {string} value a computed object-position along one axis
 * @param {number} room
 * @param {number} ratio
 */
function place(value, room, ratio) {
  const number = parseFloat(value) || 0;
  return Math.round(value.endsWith('%') ? (room * number) / 100 : ratio * number);
}

/**
 * Waits until the page was laid out and drawn, but no longer than some milliseconds.
 * @param {number} most
 * @returns {Promise<void>}
 */
function nextFrame(most) {
  return new Promise((resolve) => {
    requestAnimationFrame(() => requestAnimationFrame(() => resolve()));
    setTimeout(resolve, most);
  });
}

const visible = makeObserver();

function makeObserver() {
  if (typeof IntersectionObserver === 'undefined') return null;
  return new IntersectionObserver(
    (entries) => {
      for (const { target, isIntersecting } of entries) {
        if (isIntersecting) /** @type {GimgImage} */ (target).loadNow();
      }
    },
    { rootMargin: '800px' },
  );
}

// The class is defined only where there are elements, so that Node may import this module.
const Base = /** @type {typeof HTMLElement} */ (typeof HTMLElement === 'undefined' ? Object : HTMLElement);

export class GimgImage extends Base {
  static observedAttributes = [
    'src', 'alt', 'width', 'height', 'fallback', 'placeholder', 'loading', 'nograin',
  ];

  #canvas = document.createElement('canvas');
  #message = document.createElement('span');
  #rules = document.createElement('style');
  #slot = document.createElement('slot');
  #internals;
  #box = { width: 0, height: 0 };
  /** @type {Picture | null} */
  #picture = null;
  /** @type {Picture | null} the preview, until the picture has come */
  #preview = null;
  /** @type {AbortController | null} */
  #loading = null;
  /** @type {HTMLImageElement | null} */
  #substitute = null;
  #complete = true;
  #failed = false;
  #frame = 0;
  #drawn = '';
  /** @type {import('./renderer.js').RendererName | ''} */
  #renderer = '';
  /** @type {{promise: Promise<void>, resolve: () => void, reject: (e: Error) => void} | null} */
  #decoded = null;

  constructor() {
    super();
    const root = this.attachShadow({ mode: 'open' });
    const style = document.createElement('style');
    style.textContent = STYLE;
    this.#canvas.setAttribute('part', 'canvas');
    this.#message.setAttribute('part', 'message');
    root.append(style, this.#rules, this.#canvas, this.#slot, this.#message);
    this.#internals = this.attachInternals();
    this.#internals.role = 'img';
    new ResizeObserver((entries) => this.#resized(entries[entries.length - 1])).observe(this.#canvas);
    this.#slot.addEventListener('slotchange', () => this.#watchChild());
  }

  connectedCallback() {
    this.#setSize();
    this.#start();
  }

  disconnectedCallback() {
    visible?.unobserve(this);
    this.#loading?.abort();
    this.#loading = null;
  }

  /**
   * @param {string} name
   * @param {string | null} before
   * @param {string | null} after
   */
  attributeChangedCallback(name, before, after) {
    if (before === after) return;
    if (name === 'alt') {
      this.#internals.ariaLabel = after;
      this.#internals.role = after === '' ? 'presentation' : 'img';
      if (this.#failed) this.#message.textContent = after;
    } else if (name === 'width' || name === 'height') {
      this.#setSize();
    } else if (this.isConnected && (name === 'src' || name === 'placeholder')) {
      this.#start();
    } else if (name === 'nograin') {
      this.#redraw();
    } else if (this.isConnected && name === 'loading' && after !== 'lazy') {
      this.loadNow();
    }
  }

  // Properties of <img> -------------------------------------------------------------------------

  get src() {
    const src = this.getAttribute('src');
    return src ? new URL(src, document.baseURI).href : '';
  }

  set src(value) {
    this.setAttribute('src', value);
  }

  get alt() {
    return this.getAttribute('alt') ?? '';
  }

  set alt(value) {
    this.setAttribute('alt', value);
  }

  get width() {
    return Math.round(this.getBoundingClientRect().width);
  }

  set width(value) {
    this.setAttribute('width', String(value));
  }

  get height() {
    return Math.round(this.getBoundingClientRect().height);
  }

  set height(value) {
    this.setAttribute('height', String(value));
  }

  get loading() {
    return this.getAttribute('loading') === 'lazy' ? 'lazy' : 'eager';
  }

  set loading(value) {
    this.setAttribute('loading', value);
  }

  get fallback() {
    return this.getAttribute('fallback') ?? '';
  }

  set fallback(value) {
    this.setAttribute('fallback', value);
  }

  get placeholder() {
    return this.getAttribute('placeholder') ?? '';
  }

  set placeholder(value) {
    this.setAttribute('placeholder', value);
  }

  /** Whether the picture's grain is left out. */
  get noGrain() {
    return this.hasAttribute('nograin');
  }

  set noGrain(value) {
    this.toggleAttribute('nograin', Boolean(value));
  }

  get naturalWidth() {
    return this.#substitute?.naturalWidth ?? this.#picture?.header.width ?? 0;
  }

  get naturalHeight() {
    return this.#substitute?.naturalHeight ?? this.#picture?.header.height ?? 0;
  }

  /** Whether nothing is on its way. */
  get complete() {
    return this.#complete;
  }

  get currentSrc() {
    return this.#substitute?.currentSrc || this.src;
  }

  /** The decoded picture; null before its header came. */
  get picture() {
    return this.#picture;
  }

  /** How the picture was drawn: `webgl2` or `cpu`; empty before. */
  get renderer() {
    return this.#renderer;
  }

  /**
   * Waits until the whole picture is decoded.
   * @returns {Promise<void>}
   */
  decode() {
    return this.#decoded?.promise ?? Promise.reject(new DOMException('no source', 'EncodingError'));
  }

  // Loading -------------------------------------------------------------------------------------

  #start() {
    this.#loading?.abort();
    this.#loading = null;
    this.#substitute?.remove();
    this.#substitute = null;
    this.#picture = this.#preview = null;
    this.#failed = false;
    this.#drawn = '';
    this.toggleAttribute('data-broken', false);
    this.#decoded = null;
    this.#complete = !this.hasAttribute('src');
    this.#readPlaceholder();
    if (this.#complete) return this.#redraw();
    /** @type {any} */
    const waiting = {};
    waiting.promise = new Promise((resolve, reject) => Object.assign(waiting, { resolve, reject }));
    waiting.promise.catch(() => {});
    this.#decoded = waiting;
    this.#redraw();
    if (this.loading === 'lazy' && visible) visible.observe(this);
    else this.loadNow();
  }

  #readPlaceholder() {
    if (!this.placeholder) return;
    try {
      const limits = { maxBytes: 2 ** 16, maxGaussians: 2 ** 14, maxWork: 2 ** 24 };
      this.#preview = decode(fromDataUrl(this.placeholder), { limits });
      this.#setSize();
    } catch {
      // A preview that is damaged is no reason not to show the picture.
    }
  }

  /** Starts loading; `loading="lazy"` waits until the element is almost in sight. */
  async loadNow() {
    visible?.unobserve(this);
    if (this.#loading || this.#complete) return;
    const loading = new AbortController();
    this.#loading = loading;
    const decoded = this.#decoded;
    try {
      const loaded = await loadPicture(this.src, {
        signal: loading.signal,
        onProgress: (picture) => {
          if (this.#loading !== loading) return;
          const first = this.#picture !== picture;
          this.#picture = picture;
          if (first) picture.tiles?.addEventListener('change', () => this.#redraw());
          if (first) this.#setSize();
          if (picture.layers.length) this.#preview = null;
          this.#redraw();
          this.dispatchEvent(
            new CustomEvent('progress', {
              detail: { layers: picture.layers.length, of: picture.header.layers },
            }),
          );
        },
      });
      if (this.#loading !== loading) return;
      this.#preview = null;
      const { tiles } = loaded;
      /** @type {Error | null} */
      let damage = null;
      tiles?.addEventListener('error', (event) => {
        damage ??= /** @type {CustomEvent<Error>} */ (event).detail;
      });
      // The box may get its size only now. A page that nobody sees has no frames.
      if (tiles && !this.#box.width) await nextFrame(100);
      await this.#draw(true);
      if (this.#loading !== loading) return;
      if (damage) throw damage;
      this.#complete = true;
      decoded?.resolve();
      this.dispatchEvent(new Event('load'));
    } catch (error) {
      if (this.#loading !== loading) return;
      this.#complete = true;
      this.#fail(/** @type {Error} */ (error));
      decoded?.reject(/** @type {Error} */ (error));
    }
  }

  /** @param {Error} error */
  #fail(error) {
    this.#failed = true;
    const shown = this.#picture?.count || this.#preview;
    if (this.fallback) this.#showFallback();
    else if (!shown) this.#showMessage();
    const kind = error instanceof GimgError ? error.kind : 'network';
    this.dispatchEvent(
      new ErrorEvent('error', { message: error.message, error: { kind, message: error.message } }),
    );
  }

  #showMessage() {
    this.#message.textContent = this.alt;
    this.toggleAttribute('data-broken', true);
  }

  #showFallback() {
    const image = new Image();
    this.#substitute = image;
    image.alt = '';
    image.onload = () => {
      if (this.#substitute !== image) return;
      this.#setSize();
      this.dispatchEvent(new Event('load'));
    };
    image.onerror = () => {
      if (this.#substitute !== image) return;
      image.remove();
      this.#substitute = null;
      if (!this.#picture?.count && !this.#preview) this.#showMessage();
    };
    image.src = this.fallback;
    this.#canvas.after(image);
  }

  /** An <img> inside of the element is faded in when it has loaded. */
  #watchChild() {
    const image = this.#slot.assignedElements().find((child) => child instanceof HTMLImageElement);
    const show = () => this.toggleAttribute('data-shown', true);
    if (!(image instanceof HTMLImageElement)) this.toggleAttribute('data-shown', false);
    else if (image.complete && image.naturalWidth) show();
    else image.addEventListener('load', show, { once: true });
  }

  // Size and drawing ----------------------------------------------------------------------------

  /** Sets the size that the element has unless the page's style says another, as for <img>. */
  #setSize() {
    const known = this.#picture ?? this.#preview;
    const natural = this.#substitute?.naturalWidth
      ? { width: this.#substitute.naturalWidth, height: this.#substitute.naturalHeight }
      : known?.header;
    const width = parseInt(this.getAttribute('width') ?? '', 10);
    const height = parseInt(this.getAttribute('height') ?? '', 10);
    const rules = [];
    const ratio = natural ?? (width > 0 && height > 0 ? { width, height } : null);
    if (ratio) rules.push(`aspect-ratio: ${ratio.width} / ${ratio.height}`);
    if (width >= 0) rules.push(`width: ${width}px`);
    if (height >= 0) rules.push(`height: ${height}px`);
    if (!(width >= 0) && !(height >= 0)) {
      rules.push(this.#picture || this.#substitute ? `width: ${natural?.width}px` : 'width: 0');
      if (!natural) rules.push('min-height: 0');
    }
    this.#rules.textContent = `:host { ${rules.join('; ')} }`;
  }

  /** @param {ResizeObserverEntry} entry */
  #resized(entry) {
    this.#box = devicePixels(entry);
    this.#redraw();
  }

  #redraw() {
    if (this.#frame) return;
    this.#frame = requestAnimationFrame(() => {
      this.#frame = 0;
      this.#draw().catch(() => {});
    });
  }

  /** @param {boolean} [allTiles] whether to wait for tiles that are not here yet */
  async #draw(allTiles = false) {
    const { width, height } = this.#box;
    const context = this.#canvas.getContext('2d');
    const picture = this.#preview ?? this.#picture;
    if (!context || !width || !height) return;
    if (!picture) {
      context.clearRect(0, 0, this.#canvas.width, this.#canvas.height);
      return;
    }
    const { header, count } = picture;
    const style = getComputedStyle(this);
    const natural = this.#picture?.header ?? header;
    const placement = new Placement(
      style,
      width,
      height,
      natural.width,
      natural.height,
      devicePixelRatio,
    );
    const { view } = placement;
    if (picture === this.#preview) {
      // A preview may have another size than the picture.
      view.left *= header.width / natural.width;
      view.top *= header.height / natural.height;
      view.scaleX *= natural.width / header.width;
      view.scaleY *= natural.height / header.height;
    }
    if (allTiles) await picture.tiles?.load(view);
    const preview = picture === this.#preview;
    const key = JSON.stringify([preview, count, width, height, placement, this.noGrain, picture.tiles?.loaded]);
    if (key === this.#drawn) return;
    this.#drawn = key;
    if (placement.right <= placement.left || placement.bottom <= placement.top) {
      this.#canvas.width = width;
      return;
    }
    const fresh = document.createElement('canvas');
    fresh.width = width;
    fresh.height = height;
    const onto = /** @type {CanvasRenderingContext2D} */ (fresh.getContext('2d'));
    const { left, top } = placement;
    const name = await drawOnto(onto, picture, view, count, left, top, !this.noGrain);
    if (this.#drawn !== key) return;
    this.#renderer = name;
    this.#canvas.width = width;
    this.#canvas.height = height;
    context.drawImage(fresh, 0, 0);
  }
}

/** Makes <gimg-image> known to the page. */
export function defineElement() {
  if (typeof customElements === 'undefined' || customElements.get('gimg-image')) return;
  customElements.define('gimg-image', GimgImage);
}

defineElement();

