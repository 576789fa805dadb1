/**
 * A surface that shows a picture at any zoom: it pans, pinches and zooms without end, draws ellipses
 * instead of the picture, and compares it with a reference.
 */
import { drawPicture } from './client.js';
import { drawOnto, rendererName } from './renderer.js';
import { devicePixels, wholeView } from './view.js';

/** @typedef {import('./gimg.js').Picture} Picture */
/** @typedef {import('./view.js').View} View */
/** @typedef {'picture' | 'ellipses' | 'split' | 'difference'} StageMode */

const STAGE_STYLE = `
.gimg-stage { position: relative; overflow: hidden; touch-action: none; cursor: grab; outline: none;
  user-select: none; -webkit-user-select: none; }
.gimg-stage.moving { cursor: grabbing; }
.gimg-stage canvas { position: absolute; inset: 0; width: 100%; height: 100%; }
.gimg-stage .frame { position: absolute; left: 0; top: 0; transform-origin: 0 0;
  background: repeating-conic-gradient(#bbb 0 25%, #fff 0 50%) 0 0 / 20px 20px; }
.gimg-stage .pair { position: absolute; inset: 0; isolation: isolate; }
.gimg-stage .handle { position: absolute; top: 0; bottom: 0; width: 44px; margin-left: -22px;
  cursor: ew-resize; touch-action: none; outline: none; }
.gimg-stage .handle::before { content: ''; position: absolute; inset: 0 21px; background: #fff;
  box-shadow: 0 0 6px #0008; }
.gimg-stage .handle::after { content: '‹ ›'; position: absolute; left: 2px; top: 50%; width: 40px;
  height: 40px; margin-top: -20px; border-radius: 50%; background: #fff; color: #222;
  font: 600 18px/38px system-ui, sans-serif; text-align: center; box-shadow: 0 2px 10px #0007; }
.gimg-stage .handle:focus-visible::after { outline: 3px solid #4c8dff; }
`;

const LARGEST_SCALE = 1e9;
/** A frame that takes longer, in milliseconds, is drawn coarser while the picture moves. */
const PATIENT_FRAME = 30;

/**
 * @typedef {object} Frame
 * @property {HTMLCanvasElement} canvas
 * @property {View} view that the canvas shows
 */

/**
 * @typedef {object} Ellipses
 * The ellipses of a picture's Gaussians, largest first.
 * @property {Picture} picture
 * @property {number} count of its first Gaussians
 * @property {Uint32Array} order
 * @property {Float64Array} shape longer and shorter semi-axis, and angle
 * @property {string[]} fill
 * @property {string[]} rim
 */

/** Shows a picture in an element of the page. */
export class Stage extends EventTarget {
  #element;
  #pair = document.createElement('div');
  #frame = document.createElement('div');
  #canvas = document.createElement('canvas');
  #above = document.createElement('canvas');
  #ellipseCanvas = document.createElement('canvas');
  #handle = document.createElement('div');
  /** @type {Picture | null} */
  #picture = null;
  #count = 0;
  /** @type {ImageBitmap | HTMLImageElement | null} */
  #reference = null;
  /** @type {StageMode} */
  #mode = 'picture';
  #gain = 8;
  #split = 0.5;
  #width = 0;
  #height = 0;
  // The point of the picture in the middle, and device pixels for a pixel of the picture.
  #x = 0;
  #y = 0;
  #scale = 1;
  #fitted = true;
  #requested = 0;
  #animation = 0;
  #movedAt = -1e9;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #settling = undefined;
  /** @type {Frame | null} */
  #last = null;
  #busy = false;
  #stale = false;
  #cost = 0;
  /** @type {Map<number, PointerEvent>} */
  #pointers = new Map();
  /** @type {Ellipses | null} */
  #ellipses = null;
  /** @type {import('./renderer.js').RendererName} */
  #renderer = 'cpu';
  #grain = true;
  #tileCame = () => this.#request();
  #tileFailed = (/** @type {Event} */ event) => {
    const { message } = /** @type {CustomEvent<Error>} */ (event).detail;
    this.dispatchEvent(new ErrorEvent('error', { message }));
  };

  /** @param {HTMLElement} element that the picture fills */
  constructor(element) {
    super();
    this.#element = element;
    element.classList.add('gimg-stage');
    element.tabIndex = 0;
    if (!document.getElementById('gimg-stage-style')) {
      const style = document.createElement('style');
      style.id = 'gimg-stage-style';
      style.textContent = STAGE_STYLE;
      document.head.append(style);
    }
    this.#frame.className = 'frame';
    this.#frame.hidden = true;
    this.#pair.className = 'pair';
    this.#handle.className = 'handle';
    this.#handle.tabIndex = 0;
    this.#handle.setAttribute('role', 'slider');
    this.#handle.setAttribute('aria-label', 'Border between the reference and the picture');
    this.#pair.append(this.#frame, this.#canvas, this.#above);
    element.append(this.#pair, this.#ellipseCanvas, this.#handle);
    this.#showMode();
    new ResizeObserver((entries) => {
      const { width, height } = devicePixels(entries[entries.length - 1]);
      this.#width = width;
      this.#height = height;
      if (this.#fitted) this.#fit();
      this.#request();
    }).observe(element);
    element.addEventListener('wheel', (event) => this.#wheel(event), { passive: false });
    element.addEventListener('pointerdown', (event) => this.#pointerDown(event));
    element.addEventListener('pointermove', (event) => this.#pointerMove(event));
    for (const type of ['pointerup', 'pointercancel']) {
      element.addEventListener(type, (event) => this.#pointerUp(/** @type {PointerEvent} */ (event)));
    }
    element.addEventListener('dblclick', (event) => {
      if (event.target !== this.#handle) this.zoomBy(event.shiftKey ? 0.4 : 2.5, event);
    });
    this.#listenToHandle();
  }

  // What is shown -------------------------------------------------------------------------------

  /** How the last picture was drawn. */
  get renderer() {
    return this.#renderer;
  }

  get mode() {
    return this.#mode;
  }

  set mode(mode) {
    this.#mode = mode;
    this.#showMode();
    this.#request();
  }

  /** CSS pixels for a pixel of the picture. */
  get zoom() {
    return this.#scale / devicePixelRatio;
  }

  /** Factor on the differences in the mode `difference`. */
  set gain(gain) {
    this.#gain = gain;
    this.#showMode();
  }

  get gain() {
    return this.#gain;
  }

  /** Whether the picture's grain is drawn. */
  get grain() {
    return this.#grain;
  }

  set grain(grain) {
    this.#grain = grain;
    this.#request();
  }

  /**
   * Shows a picture; the view stays if it is the one that is shown, with more layers.
   * @param {Picture | null} picture
   * @param {number} [count] of the first Gaussians to draw
   */
  show(picture, count = picture?.count ?? 0) {
    const before = this.#picture;
    this.#count = count;
    if (before !== picture) {
      before?.tiles?.removeEventListener('change', this.#tileCame);
      before?.tiles?.removeEventListener('error', this.#tileFailed);
      picture?.tiles?.addEventListener('change', this.#tileCame);
      picture?.tiles?.addEventListener('error', this.#tileFailed);
    }
    if (before !== picture || this.#ellipses?.count !== count) this.#ellipses = null;
    this.#picture = picture;
    this.#frame.hidden = !picture?.hasAlpha;
    if (picture && before !== picture) {
      const same =
        before?.header.width === picture.header.width &&
        before.header.height === picture.header.height;
      this.#last = null;
      if (!same) this.fit(false);
    }
    this.#request();
  }

  /**
   * Sets the picture to compare with, of any size.
   * @param {ImageBitmap | HTMLImageElement | null} reference
   */
  set reference(reference) {
    this.#reference = reference;
    if (!reference && (this.#mode === 'split' || this.#mode === 'difference')) this.mode = 'picture';
    this.#request();
  }

  #showMode() {
    const split = this.#mode === 'split';
    const difference = this.#mode === 'difference';
    this.#ellipseCanvas.hidden = this.#mode !== 'ellipses';
    this.#pair.style.visibility = this.#mode === 'ellipses' ? 'hidden' : '';
    this.#above.hidden = !split && !difference;
    this.#above.style.mixBlendMode = difference ? 'difference' : '';
    this.#pair.style.filter = difference ? `brightness(${this.#gain})` : '';
    this.#handle.hidden = !split;
    this.#handle.style.left = `${100 * this.#split}%`;
    this.#handle.setAttribute('aria-valuenow', String(Math.round(100 * this.#split)));
    this.#above.style.clipPath = split ? `inset(0 ${100 * (1 - this.#split)}% 0 0)` : '';
  }

  // Zoom ----------------------------------------------------------------------------------------

  /**
   * Shows the whole picture.
   * @param {boolean} [smoothly]
   */
  fit(smoothly = true) {
    this.#fitted = true;
    const from = { x: this.#x, y: this.#y, scale: this.#scale };
    this.#fit();
    const to = { x: this.#x, y: this.#y, scale: this.#scale };
    if (smoothly && this.#picture) this.#animate(from, to);
    else this.#changed();
  }

  #fit() {
    if (!this.#picture || !this.#width || !this.#height) return;
    const { width, height } = this.#picture.header;
    const style = getComputedStyle(this.#element);
    const room = (/** @type {string} */ side) =>
      (parseFloat(style.getPropertyValue(`--stage-${side}`)) || 0) * devicePixelRatio;
    const [top, bottom] = [room('top'), room('bottom')];
    const most = Math.max(this.#height - top - bottom, 1);
    this.#scale = Math.min(this.#width / width, most / height);
    // A small picture is not blown up to the window, but it may be shown several times as large.
    this.#scale = Math.min(this.#scale, 8 * devicePixelRatio);
    this.#x = width / 2;
    this.#y = height / 2 + (bottom - top) / 2 / this.#scale;
  }

  /**
   * Changes the zoom around a point.
   * @param {number} factor
   * @param {{clientX: number, clientY: number}} [at] the middle by default
   * @param {boolean} [smoothly]
   */
  zoomBy(factor, at, smoothly = true) {
    const [x, y] = this.#place(at);
    const least = this.#leastScale();
    const scale = Math.min(Math.max(this.#scale * factor, least), LARGEST_SCALE);
    const from = { x: this.#x, y: this.#y, scale: this.#scale };
    const to = {
      scale,
      x: this.#x + x / this.#scale - x / scale,
      y: this.#y + y / this.#scale - y / scale,
    };
    this.#fitted = false;
    if (smoothly) this.#animate(from, to);
    else this.#moveTo(to);
  }

  /**
   * Sets the zoom, in CSS pixels for a pixel of the picture.
   * @param {number} zoom
   */
  zoomTo(zoom) {
    this.zoomBy((zoom * devicePixelRatio) / this.#scale);
  }

  /**
   * Moves the picture by CSS pixels.
   * @param {number} x
   * @param {number} y
   */
  panBy(x, y) {
    this.#fitted = false;
    const by = devicePixelRatio / this.#scale;
    this.#moveTo({ x: this.#x - x * by, y: this.#y - y * by, scale: this.#scale });
  }

  #leastScale() {
    const { width, height } = this.#picture?.header ?? { width: 1, height: 1 };
    return Math.min(1, 24 / Math.max(width, height));
  }

  /**
   * Returns the place of an event from the middle of the stage, in device pixels.
   * @param {{clientX: number, clientY: number}} [at]
   */
  #place(at) {
    if (!at) return [0, 0];
    const box = this.#element.getBoundingClientRect();
    const x = (at.clientX - box.left - box.width / 2) * devicePixelRatio;
    return [x, (at.clientY - box.top - box.height / 2) * devicePixelRatio];
  }

  /**
   * @param {{x: number, y: number, scale: number}} from
   * @param {{x: number, y: number, scale: number}} to
   */
  #animate(from, to) {
    cancelAnimationFrame(this.#animation);
    const begin = performance.now();
    const long = matchMedia('(prefers-reduced-motion: reduce)').matches ? 0 : 180;
    const step = (/** @type {number} */ now) => {
      const done = long ? Math.min(1, Math.max(0, (now - begin) / long)) : 1;
      const t = 1 - (1 - done) ** 3;
      const scale = from.scale * (to.scale / from.scale) ** t;
      // The point that does not move on the screen stays where it is at every moment.
      const part = from.scale === to.scale ? t : (1 / from.scale - 1 / scale) / (1 / from.scale - 1 / to.scale);
      this.#moveTo(
        { scale, x: from.x + (to.x - from.x) * part, y: from.y + (to.y - from.y) * part },
        this.#fitted,
      );
      if (done < 1) this.#animation = requestAnimationFrame(step);
    };
    this.#animation = requestAnimationFrame(step);
  }

  /**
   * @param {{x: number, y: number, scale: number}} to
   * @param {boolean} [anywhere]
   */
  #moveTo(to, anywhere = false) {
    const { width, height } = this.#picture?.header ?? { width: 1, height: 1 };
    this.#scale = to.scale;
    this.#x = anywhere ? to.x : Math.min(Math.max(to.x, 0), width);
    this.#y = anywhere ? to.y : Math.min(Math.max(to.y, 0), height);
    this.#movedAt = performance.now();
    clearTimeout(this.#settling);
    this.#settling = setTimeout(() => this.#request(), 160);
    this.#changed();
  }

  #changed() {
    this.#request();
    this.dispatchEvent(new Event('view'));
  }

  // Input ---------------------------------------------------------------------------------------

  /** @param {WheelEvent} event */
  #wheel(event) {
    event.preventDefault();
    cancelAnimationFrame(this.#animation);
    const unit = event.deltaMode === 1 ? 16 : event.deltaMode === 2 ? 400 : 1;
    // A pinch on a trackpad comes as a wheel with Ctrl, in small steps.
    const speed = event.ctrlKey ? 0.01 : 0.002;
    const delta = Math.min(Math.max(event.deltaY * unit, -300), 300);
    this.zoomBy(Math.exp(-delta * speed), event, false);
  }

  /** @param {PointerEvent} event */
  #pointerDown(event) {
    if (event.button !== 0 || event.target === this.#handle) return;
    cancelAnimationFrame(this.#animation);
    try {
      this.#element.setPointerCapture(event.pointerId);
    } catch {
      // The pointer of a synthetic event cannot be captured.
    }
    this.#pointers.set(event.pointerId, event);
    this.#element.classList.add('moving');
  }

  /** @param {PointerEvent} event */
  #pointerMove(event) {
    const before = this.#pointers.get(event.pointerId);
    if (!before) return;
    const others = [...this.#pointers.values()].filter((p) => p.pointerId !== event.pointerId);
    this.#pointers.set(event.pointerId, event);
    const [other] = others;
    if (!other) {
      this.panBy(event.clientX - before.clientX, event.clientY - before.clientY);
      return;
    }
    const middle = (/** @type {PointerEvent} */ p) => ({
      clientX: (p.clientX + other.clientX) / 2,
      clientY: (p.clientY + other.clientY) / 2,
    });
    const length = (/** @type {PointerEvent} */ p) =>
      Math.max(1, Math.hypot(p.clientX - other.clientX, p.clientY - other.clientY));
    const [from, to] = [middle(before), middle(event)];
    this.panBy(to.clientX - from.clientX, to.clientY - from.clientY);
    this.zoomBy(length(event) / length(before), to, false);
  }

  /** @param {PointerEvent} event */
  #pointerUp(event) {
    this.#pointers.delete(event.pointerId);
    if (!this.#pointers.size) this.#element.classList.remove('moving');
  }

  #listenToHandle() {
    const handle = this.#handle;
    const move = (/** @type {number} */ split) => {
      this.#split = Math.min(Math.max(split, 0), 1);
      this.#showMode();
    };
    handle.addEventListener('pointerdown', (event) => {
      if (event.button !== 0) return;
      event.stopPropagation();
      handle.setPointerCapture(event.pointerId);
    });
    handle.addEventListener('pointermove', (event) => {
      if (!handle.hasPointerCapture(event.pointerId)) return;
      const box = this.#element.getBoundingClientRect();
      move((event.clientX - box.left) / box.width);
    });
    handle.addEventListener('keydown', (event) => {
      const by = { ArrowLeft: -0.02, ArrowRight: 0.02, Home: -1, End: 1 }[event.key];
      if (by === undefined) return;
      event.preventDefault();
      event.stopPropagation();
      move(this.#split + by);
    });
  }

  // Drawing -------------------------------------------------------------------------------------

  #request() {
    // Scripts and tests may wait for this attribute, which says how the frame was drawn.
    delete this.#element.dataset.drawn;
    if (this.#requested) return;
    this.#requested = requestAnimationFrame(() => {
      this.#requested = 0;
      this.#draw();
    });
  }

  /**
   * Returns the part of the stage that the picture covers, and what it shows there.
   * @returns {{x: number, y: number, view: View} | null}
   */
  #visible() {
    const { width, height } = /** @type {Picture} */ (this.#picture).header;
    const scale = this.#scale;
    let left = this.#width / 2 - this.#x * scale;
    let top = this.#height / 2 - this.#y * scale;
    if (Math.abs(scale - Math.round(scale)) < 1e-9) {
      left = Math.round(left);
      top = Math.round(top);
    }
    const x = Math.max(0, Math.round(left));
    const y = Math.max(0, Math.round(top));
    const right = Math.min(this.#width, Math.round(left + width * scale));
    const bottom = Math.min(this.#height, Math.round(top + height * scale));
    if (right <= x || bottom <= y) return null;
    return {
      x,
      y,
      view: {
        width: right - x,
        height: bottom - y,
        left: (x - left) / scale,
        top: (y - top) / scale,
        scaleX: scale,
        scaleY: scale,
      },
    };
  }

  #draw() {
    for (const canvas of [this.#canvas, this.#above, this.#ellipseCanvas]) {
      if (canvas.width !== this.#width || canvas.height !== this.#height) {
        canvas.width = this.#width;
        canvas.height = this.#height;
        if (canvas === this.#canvas && this.#last) this.#paint(this.#last);
      }
    }
    const visible = this.#picture && this.#width && this.#height ? this.#visible() : null;
    if (!visible) {
      for (const canvas of [this.#canvas, this.#above, this.#ellipseCanvas]) {
        canvas.getContext('2d')?.clearRect(0, 0, canvas.width, canvas.height);
      }
      this.#frame.style.width = '0';
      return;
    }
    this.#placeFrame(visible);
    if (this.#mode === 'ellipses') this.#drawEllipses(visible);
    else this.#drawPicture(visible);
    if (this.#mode === 'split' || this.#mode === 'difference') this.#drawReference(visible);
  }

  /** @param {{x: number, y: number, view: View}} visible */
  #placeFrame({ x, y, view }) {
    const ratio = devicePixelRatio;
    Object.assign(this.#frame.style, {
      left: `${x / ratio}px`,
      top: `${y / ratio}px`,
      width: `${view.width / ratio}px`,
      height: `${view.height / ratio}px`,
    });
  }

  /** @param {{x: number, y: number, view: View}} visible */
  async #drawPicture({ x, y, view }) {
    const picture = /** @type {Picture} */ (this.#picture);
    if (this.#busy) {
      if (this.#last) this.#paint(this.#last);
      this.#stale = true;
      return;
    }
    const moving = performance.now() - this.#movedAt < 150;
    const onCpu = rendererName() === 'cpu';
    const coarse = moving && onCpu ? Math.max(1, Math.min(4, Math.ceil(Math.sqrt(this.#cost / PATIENT_FRAME)))) : 1;
    if (onCpu && this.#last) this.#paint(this.#last);
    const drawn = coarse === 1 ? view : {
      ...view,
      width: Math.ceil(view.width / coarse),
      height: Math.ceil(view.height / coarse),
      scaleX: view.scaleX / coarse,
      scaleY: view.scaleY / coarse,
    };
    const canvas = document.createElement('canvas');
    canvas.width = drawn.width;
    canvas.height = drawn.height;
    const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d'));
    const begin = performance.now();
    this.#busy = true;
    this.#stale = false;
    try {
      const count = this.#count;
      // While the picture moves, its grain is left out, which costs more than the rest of a frame.
      this.#renderer = await drawOnto(context, picture, drawn, count, 0, 0, this.#grain && !moving);
      this.#cost = (performance.now() - begin) * coarse * coarse;
      if (picture !== this.#picture) return;
      this.#last = { canvas, view: drawn };
      this.#paint(this.#last, coarse === 1 && !this.#stale ? [x, y] : null);
      const done = coarse === 1 && !(moving && picture.chunks.has('gRAN')) && !picture.tiles?.compose(view).missing;
      if (done && !this.#stale && !this.#requested) this.#element.dataset.drawn = this.#renderer;
      this.dispatchEvent(new CustomEvent('drawn', { detail: { coarse } }));
    } catch (error) {
      this.dispatchEvent(new ErrorEvent('error', { message: /** @type {Error} */ (error).message }));
    } finally {
      this.#busy = false;
      if (this.#stale) this.#request();
    }
  }

  /**
   * Puts a drawn frame where its part of the picture is now.
   * @param {Frame} frame
   * @param {number[] | null} [exactly] its place, if it was drawn for what is shown
   */
  #paint({ canvas, view }, exactly = null) {
    const context = /** @type {CanvasRenderingContext2D} */ (this.#canvas.getContext('2d'));
    context.clearRect(0, 0, this.#width, this.#height);
    if (exactly) {
      context.drawImage(canvas, exactly[0], exactly[1]);
      return;
    }
    const by = this.#scale / view.scaleX;
    const x = this.#width / 2 + (view.left - this.#x) * this.#scale;
    const y = this.#height / 2 + (view.top - this.#y) * this.#scale;
    context.imageSmoothingQuality = 'high';
    context.drawImage(canvas, x, y, canvas.width * by, canvas.height * by);
  }

  /** @param {{x: number, y: number, view: View}} visible */
  #drawReference({ x, y, view }) {
    const context = /** @type {CanvasRenderingContext2D} */ (this.#above.getContext('2d'));
    context.clearRect(0, 0, this.#width, this.#height);
    const reference = this.#reference;
    if (!reference) return;
    const { header } = /** @type {Picture} */ (this.#picture);
    const size = [reference.width, reference.height];
    // Pixels of the reference for one of the picture.
    const by = [size[0] / header.width, size[1] / header.height];
    const scale = [view.scaleX / by[0], view.scaleY / by[1]];
    const from = [Math.floor(view.left * by[0]), Math.floor(view.top * by[1])];
    const to = [
      Math.min(size[0], Math.ceil((view.left + view.width / view.scaleX) * by[0])),
      Math.min(size[1], Math.ceil((view.top + view.height / view.scaleY) * by[1])),
    ];
    context.save();
    context.beginPath();
    context.rect(x, y, view.width, view.height);
    context.clip();
    context.imageSmoothingEnabled = scale[0] < 1.5;
    context.imageSmoothingQuality = 'high';
    context.drawImage(
      reference,
      from[0],
      from[1],
      to[0] - from[0],
      to[1] - from[1],
      x + (from[0] - view.left * by[0]) * scale[0],
      y + (from[1] - view.top * by[1]) * scale[1],
      (to[0] - from[0]) * scale[0],
      (to[1] - from[1]) * scale[1],
    );
    context.restore();
  }

  /** @param {{x: number, y: number, view: View}} visible */
  async #drawEllipses({ view }) {
    const whole = /** @type {Picture} */ (this.#picture);
    // The Gaussians of tiles are in pixels of a level.
    const level = whole.tiles?.compose(view);
    const picture = level?.picture ?? whole;
    const pixel = level ? level.view.scaleX / view.scaleX : 1;
    const count = level ? picture.count : this.#count;
    if (this.#ellipses?.picture !== picture || this.#ellipses.count !== count) {
      const made = await makeEllipses(picture, count);
      if (whole !== this.#picture || (!level && count !== this.#count)) return this.#request();
      this.#ellipses = made;
    }
    const { order, shape, fill, rim } = this.#ellipses;
    const context = /** @type {CanvasRenderingContext2D} */ (this.#ellipseCanvas.getContext('2d'));
    context.clearRect(0, 0, this.#width, this.#height);
    const scale = this.#scale * pixel;
    const ratio = devicePixelRatio;
    for (const i of order) {
      const x = this.#width / 2 + picture.means[2 * i] * scale - this.#x * this.#scale;
      const y = this.#height / 2 + picture.means[2 * i + 1] * scale - this.#y * this.#scale;
      const long = shape[3 * i] * scale;
      const short = shape[3 * i + 1] * scale;
      if (x + long < 0 || y + long < 0 || x - long > this.#width || y - long > this.#height) continue;
      if (long < 0.3) continue;
      context.beginPath();
      context.ellipse(x, y, long, Math.max(short, 0.2), shape[3 * i + 2], 0, 2 * Math.PI);
      context.fillStyle = fill[i];
      context.fill();
      if (short > 1.5 * ratio) {
        context.lineWidth = 0.75 * ratio;
        context.strokeStyle = rim[i];
        context.stroke();
      }
    }
    if (!this.#requested) this.#element.dataset.drawn = 'ellipses';
    this.dispatchEvent(new CustomEvent('drawn', { detail: { coarse: 1 } }));
  }
}

/**
 * Returns the ellipses at one standard deviation, in the picture's color at their centers.
 * @param {Picture} picture
 * @param {number} count
 * @returns {Promise<Ellipses>}
 */
async function makeEllipses(picture, count) {
  const { header, means, cholesky } = picture;
  const small = Math.min(1, 1024 / Math.max(header.width, header.height));
  const width = Math.max(1, Math.round(header.width * small));
  const height = Math.max(1, Math.round(header.height * small));
  const { data } = await drawPicture(picture, wholeView(picture, width, height), count);
  const shape = new Float64Array(3 * count);
  const fill = [];
  const rim = [];
  const most = Math.max(header.width, header.height);
  const order = [];
  for (let i = 0; i < count; i++) {
    const [a, b, c] = cholesky.subarray(3 * i, 3 * i + 3);
    const middle = (a * a + b * b + c * c) / 2;
    const half = Math.hypot((a * a - b * b - c * c) / 2, a * b);
    const long = Math.sqrt(middle + half);
    shape.set([long, (a * c) / long, 0.5 * Math.atan2(2 * a * b, a * a - b * b - c * c)], 3 * i);
    // An ellipse around the whole picture would hide all others.
    if (long < 100 * most && shape[3 * i + 1] < 0.6 * most) order.push(i);
    const x = Math.min(width - 1, Math.max(0, Math.floor(means[2 * i] * small)));
    const y = Math.min(height - 1, Math.max(0, Math.floor(means[2 * i + 1] * small)));
    const at = 4 * (y * width + x);
    const [red, green, blue] = data.subarray(at, at + 3);
    fill.push(`rgb(${red} ${green} ${blue})`);
    rim.push(`rgb(${red * 0.6} ${green * 0.6} ${blue * 0.6})`);
  }
  const area = (/** @type {number} */ i) => shape[3 * i] * shape[3 * i + 1];
  order.sort((i, j) => area(j) - area(i));
  return { picture, count, order: Uint32Array.from(order), shape, fill, rim };
}
