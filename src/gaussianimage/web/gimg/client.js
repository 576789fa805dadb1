/**
 * Loads pictures from addresses, files or bytes, and draws them on the CPU. A worker does both where
 * the page may have one; else this thread does.
 */
import { drawOnCpu } from './cpu.js';
import { Decoder, GimgError, Picture } from './gimg.js';
import './worker.js';

/** @typedef {import('./view.js').View} View */

/**
 * @typedef {object} LoadOptions
 * @property {AbortSignal} [signal]
 * @property {(picture: Picture) => void} [onProgress] called when the header and when layers came
 * @property {Partial<import('./gimg.js').Limits>} [limits]
 */

/** This thread draws so few Gaussians faster than it can send them. */
const FEW = 2000;
/** A worker that says nothing for so many milliseconds is ended. */
const PATIENCE = 30_000;

/**
 * Loads a picture.
 * @param {string | Blob | Uint8Array} source an address (data: too), a file or the bytes
 * @param {LoadOptions} [options]
 * @returns {Promise<Picture>}
 * @throws {GimgError} the file can't be reached or decoded; its `picture` has the layers that came
 */
export async function loadPicture(source, options = {}) {
  // Of a tiled file nothing is told before its index has come.
  const onProgress = (/** @type {Picture} */ picture) => {
    if (picture.header.layers || picture.complete) options.onProgress?.(picture);
  };
  const session = await openSession({ ...options, onProgress });
  busySessions.add(session);
  try {
    for await (const bytes of readPieces(source, options.signal)) await session.push(bytes);
    return await session.finish();
  } catch (error) {
    let told = error;
    if (mayBeTiled(error, session.picture) && !options.signal?.aborted) {
      try {
        return await loadTiled(source, options);
      } catch (other) {
        if (error.kind !== 'limit' || !isOfOtherFile(other)) throw other;
      }
    }
    if (options.signal?.aborted) told = options.signal.reason;
    else if (!(error instanceof GimgError)) {
      told = new GimgError('network', `the file can't be read: ${/** @type {Error} */ (error).message}`);
    }
    if (told instanceof GimgError) {
      const { picture } = session;
      Object.assign(told, { picture });
      if (picture) picture.damage = told;
    }
    throw told;
  } finally {
    busySessions.delete(session);
  }
}

/**
 * Returns whether the file may be tiled: the decoder says so, or it has refused a large picture, of
 * which it does not read beyond the header.
 * @param {unknown} error of the decoder
 * @param {Picture | null} picture
 * @returns {error is GimgError}
 */
function mayBeTiled(error, picture) {
  if (!(error instanceof GimgError)) return false;
  return error.kind === 'unsupported' ? error.message.includes('TIDX') : error.kind === 'limit' && !picture;
}

/**
 * @param {unknown} error of tiled.js
 * @returns {boolean} whether it says that the file is not tiled
 */
function isOfOtherFile(error) {
  return error instanceof GimgError && /TIDX must be|not that of a tiled file/.test(error.message);
}

/**
 * @param {string | Blob | Uint8Array} source
 * @param {LoadOptions} options
 */
async function loadTiled(source, options) {
  const module = await import('./tiled.js');
  const bytes = typeof source === 'string' && source.startsWith('data:') ? fromDataUrl(source) : source;
  const picture = await module.openTiled(bytes, options);
  options.onProgress?.(picture);
  if (picture.damage) throw Object.assign(picture.damage, { picture });
  return picture;
}

/**
 * Draws a loaded picture on the CPU.
 * @param {Picture} picture
 * @param {View} view
 * @param {number} [count] of the first Gaussians to draw
 * @returns {Promise<ImageData>}
 */
export async function drawPicture(picture, view, count = picture.count) {
  let session = sessions.get(picture);
  // Pictures that no worker has decoded are joined of tiles, or small.
  if (!session && picture.count > FEW) session = await shareWithWorker(picture);
  if (session && !session.channel.ended) return session.draw(view, count);
  return drawOnCpu(picture, view, count);
}

/** @param {Picture} picture */
async function shareWithWorker(picture) {
  const channel = openChannel();
  if (!channel) return undefined;
  const session = new WorkerSession(channel, {}, picture);
  if (!(await channel.started)) return undefined;
  sessions.set(picture, session);
  return session;
}

/**
 * Yields the bytes of a source as they come.
 * @param {string | Blob | Uint8Array} source
 * @param {AbortSignal} [signal]
 * @returns {AsyncGenerator<Uint8Array>}
 */
async function* readPieces(source, signal) {
  if (source instanceof Uint8Array) {
    yield source;
  } else if (typeof source !== 'string') {
    yield new Uint8Array(await source.arrayBuffer());
  } else if (source.startsWith('data:')) {
    yield fromDataUrl(source);
  } else {
    const answer = await fetch(source, { signal }).catch((error) => {
      if (signal?.aborted) throw error;
      throw new GimgError('network', 'the file can\'t be reached');
    });
    if (!answer.ok || !answer.body) {
      throw new GimgError('network', `the server answers ${answer.status} ${answer.statusText}`.trim());
    }
    const reader = answer.body.getReader();
    try {
      for (;;) {
        const { value, done } = await reader.read().catch((error) => {
          if (signal?.aborted) throw error;
          throw new GimgError('truncated', 'the transfer broke off');
        });
        if (done) return;
        yield value;
      }
    } finally {
      reader.cancel().catch(() => {});
    }
  }
}

/**
 * Returns the bytes of a data: address in base 64.
 * @param {string} url
 * @returns {Uint8Array}
 * @throws {GimgError}
 */
export function fromDataUrl(url) {
  const match = /^data:[^,]*;base64,(.*)$/s.exec(url);
  try {
    return Uint8Array.from(atob(/** @type {RegExpExecArray} */ (match)[1]), (c) => c.charCodeAt(0));
  } catch {
    throw new GimgError('format', 'the data: address is not in base 64');
  }
}

/** @typedef {LocalSession | WorkerSession} Session */

/**
 * Sessions that load or draw; a channel holds sessions weakly, so nothing else may keep them.
 * @type {Set<Session>}
 */
const busySessions = new Set();

/** @type {WeakMap<Picture, WorkerSession>} */
const sessions = new WeakMap();

/**
 * @param {LoadOptions} options
 * @returns {Promise<Session>}
 */
async function openSession(options) {
  const channel = openChannel();
  if (channel) {
    const session = new WorkerSession(channel, options);
    // A page's policy may forbid workers, which shows only now.
    if (await channel.started) return session;
  }
  return new LocalSession(options);
}

/** Decodes on this thread. */
class LocalSession {
  #decoder;
  #tell;
  /** @type {string | null} */
  #told = null;

  /** @param {LoadOptions} options */
  constructor(options) {
    this.#decoder = new Decoder({ limits: options.limits });
    this.#tell = options.onProgress;
  }

  get picture() {
    return this.#decoder.picture;
  }

  /** @param {Uint8Array} bytes */
  async push(bytes) {
    try {
      this.#decoder.push(bytes);
    } finally {
      const { picture } = this;
      const known = picture && `${picture.count} ${picture.complete}`;
      if (picture && known !== this.#told) {
        this.#told = known;
        this.#tell?.(picture);
      }
    }
  }

  async finish() {
    return this.#decoder.finish();
  }
}

/** A worker, and the pictures that it has. */
class Channel {
  /** @param {Worker} worker */
  constructor(worker) {
    this.worker = worker;
    this.ended = false;
    this.waiting = 0;
    this.heard = (/** @type {boolean} */ _) => {};
    /** Whether the worker ever said something, once that is known. */
    this.started = new Promise((/** @type {(heard: boolean) => void} */ resolve) => {
      this.heard = resolve;
    }).then((heard) => (this.works = heard));
    this.works = false;
    /** @type {Map<number, WeakRef<WorkerSession>>} */
    this.sessions = new Map();
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
    worker.onmessage = (event) => this.receive(event.data);
    worker.onerror = (event) => {
      event.preventDefault();
      this.end('the worker failed');
    };
  }

  /**
   * @param {any} message
   * @param {Transferable[]} [transfer]
   */
  send(message, transfer = []) {
    this.worker.postMessage(message, transfer);
    this.waiting++;
    this.watch();
  }

  watch() {
    clearTimeout(this.timer);
    if (!this.waiting) return;
    this.timer = setTimeout(() => this.end('decoding takes too long'), PATIENCE);
  }

  /** @param {any} message */
  receive(message) {
    this.heard(true);
    if (message.type === 'ready' || message.type === 'error') this.waiting--;
    this.watch();
    this.sessions.get(message.id)?.deref()?.receive(message);
  }

  /** @param {string} why */
  end(why) {
    this.ended = true;
    this.heard(false);
    clearTimeout(this.timer);
    this.worker.terminate();
    // One that worked is replaced; where none starts, pages do without.
    if (sharedChannel === this) sharedChannel = this.works ? undefined : null;
    for (const session of this.sessions.values()) {
      session.deref()?.fail(new GimgError('limit', why));
    }
  }
}

/** @type {Channel | null | undefined} undefined before the first use, null if there is none */
let sharedChannel;
let lastId = 0;

function openChannel() {
  if (sharedChannel === undefined || sharedChannel?.ended) {
    try {
      sharedChannel = new Channel(startWorker());
    } catch {
      sharedChannel = null;
    }
  }
  return sharedChannel;
}

function startWorker() {
  // In a page of a single file, the worker runs the script of the page.
  const whole = document.getElementById('gimg-bundle');
  if (!whole) return new Worker(new URL('./worker.js', import.meta.url), { type: 'module' });
  const blob = new Blob([whole.textContent ?? ''], { type: 'text/javascript' });
  return new Worker(URL.createObjectURL(blob));
}

const closing = new FinalizationRegistry((/** @type {() => void} */ close) => close());

/** Decodes in the worker. */
class WorkerSession {
  #id = ++lastId;
  #tell;
  /** @type {{resolve: Function, reject: Function} | null} */
  #pending = null;
  /** @type {Map<number, {resolve: Function, reject: Function}>} */
  #jobs = new Map();
  #lastJob = 0;

  /**
   * @param {Channel} channel
   * @param {LoadOptions} options
   * @param {Picture | null} [shared] a picture that is decoded already
   */
  constructor(channel, options, shared = null) {
    this.channel = channel;
    this.#tell = options.onProgress;
    /** @type {Picture | null} */
    this.picture = null;
    const id = this.#id;
    channel.sessions.set(id, new WeakRef(this));
    closing.register(this, () => {
      channel.sessions.delete(id);
      if (!channel.ended) channel.send({ id, type: 'close' });
    });
    if (shared) {
      const { header, count, means, cholesky, colors, alpha, alphaPlace } = shared;
      const sent = { header, count, means, cholesky, colors, alpha, alphaPlace };
      channel.send({ id, type: 'share', shared: sent });
    } else {
      channel.send({ id, type: 'open', limits: options.limits });
    }
  }

  /**
   * @param {any} message
   * @returns {Promise<void>}
   */
  #ask(message) {
    if (this.channel.ended) return Promise.reject(new GimgError('limit', 'the worker has ended'));
    return new Promise((resolve, reject) => {
      this.#pending = { resolve, reject };
      this.channel.send({ id: this.#id, ...message });
    });
  }

  /** @param {Uint8Array} bytes */
  push(bytes) {
    return this.#ask({ type: 'push', bytes });
  }

  async finish() {
    await this.#ask({ type: 'finish' });
    return /** @type {Picture} */ (this.picture);
  }

  /**
   * @param {View} view
   * @param {number} count
   * @returns {Promise<ImageData>}
   */
  async draw(view, count) {
    const job = ++this.#lastJob;
    busySessions.add(this);
    try {
      /** @type {Uint8ClampedArray} */
      const pixels = await new Promise((resolve, reject) => {
        this.#jobs.set(job, { resolve, reject });
        this.channel.send({ id: this.#id, type: 'draw', job, view, count });
      });
      return new ImageData(/** @type {any} */ (pixels), view.width, view.height);
    } finally {
      if (!this.#jobs.size) busySessions.delete(this);
    }
  }

  /** @param {any} message */
  receive(message) {
    if (message.type === 'header') {
      this.picture = new Picture(message.header);
      this.picture.alpha = message.alpha;
      sessions.set(this.picture, this);
      this.#tell?.(this.picture);
    } else if (message.type === 'layers' && this.picture) {
      Object.assign(this.picture, message.news);
      this.#tell?.(this.picture);
    } else if (message.type === 'drawn') {
      this.#jobs.get(message.job)?.resolve(message.pixels);
      this.#jobs.delete(message.job);
    } else if (message.type === 'ready') {
      if (message.what === 'push' || message.what === 'finish') this.#pending?.resolve();
    } else if (message.type === 'error') {
      // A damaged file is no reason to give up the drawing of the layers before the damage.
      const error = new GimgError(message.kind, message.message, message.offset);
      if (message.job === undefined) this.#pending?.reject(error);
      else this.#jobs.get(message.job)?.reject(error);
      this.#jobs.delete(message.job);
    }
  }

  /**
   * Gives up all that waits for the worker.
   * @param {GimgError} error
   */
  fail(error) {
    this.#pending?.reject(error);
    for (const job of this.#jobs.values()) job.reject(error);
    this.#jobs.clear();
  }
}
