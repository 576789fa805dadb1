// The widget in a page: two panes with one view, and controls above them. Python's side is
// encode_widget.py; `model` has its traits.

const LARGEST_ZOOM = 16;

function element(tag, properties = {}, children = []) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

// A pane shows one PNG file of the model at a time.
class Pane {
  constructor(caption) {
    this.image = element("img", { alt: caption, draggable: false });
    this.frame = element("div", { className: "gaussianimage-frame" }, [this.image]);
    this.caption = element("figcaption", { textContent: caption });
    this.figure = element("figure", {}, [this.frame, this.caption]);
  }

  show(png) {
    const before = this.url;
    this.url = png && png.byteLength ? URL.createObjectURL(new Blob([png], { type: "image/png" })) : "";
    if (this.url) this.image.src = this.url;
    this.image.hidden = !this.url;
    if (before) URL.revokeObjectURL(before);
  }

  clear() {
    if (this.url) URL.revokeObjectURL(this.url);
  }
}

function render({ model, el }) {
  const quality = element("input", { type: "range", min: 0, max: 100, step: 1 });
  const zoom = element("input", { type: "range", min: 0, max: 4, step: 0.01 }); // log2
  const ellipses = element("input", { type: "checkbox" });
  const qualityText = element("output");
  const zoomText = element("output");
  const status = element("span", { className: "gaussianimage-status", role: "status" });
  const controls = element("div", { className: "gaussianimage-controls" }, [
    element("label", {}, ["Quality ", quality, qualityText]),
    element("label", {}, ["Zoom ", zoom, zoomText]),
    element("label", {}, [ellipses, " Ellipses"]),
    status,
  ]);
  const progress = element("progress", { max: 1 });
  const source = new Pane("source");
  const result = new Pane(".gimg");
  const panes = element("div", { className: "gaussianimage-panes" }, [source.figure, result.figure]);
  const root = element("div", { className: "gaussianimage-encode" }, [controls, progress, panes]);
  el.append(root);

  // What both panes show: the point of the picture in their middle, as shares of its sides.
  let center = { x: 0.5, y: 0.5 };

  function setView(x, y) {
    const scale = model.get("zoom");
    const half = 0.5 / scale;
    const inside = (value) => Math.min(Math.max(value, half), 1 - half);
    center = { x: inside(x), y: inside(y) };
    for (const pane of [source, result]) {
      const move = `translate(${(0.5 - center.x) * 100}%, ${(0.5 - center.y) * 100}%)`;
      pane.image.style.transform = `scale(${scale}) ${move}`;
    }
  }

  function setZoom(scale) {
    model.set("zoom", Math.min(Math.max(scale, 1), LARGEST_ZOOM));
    model.save_changes();
  }

  const listeners = {
    quality() {
      quality.value = model.get("quality");
      qualityText.textContent = Math.round(model.get("quality"));
    },
    zoom() {
      zoom.value = Math.log2(model.get("zoom"));
      zoomText.textContent = `${model.get("zoom").toFixed(1)} ×`;
      setView(center.x, center.y);
    },
    size() {
      const [height, width] = model.get("size");
      panes.style.setProperty("--ratio", `${width} / ${height}`);
    },
    busy() {
      root.classList.toggle("gaussianimage-busy", model.get("busy"));
    },
    done() {
      progress.value = model.get("done");
    },
    status() {
      status.textContent = model.get("status");
    },
    source_png() {
      source.show(model.get("source_png"));
    },
  };
  const showResult = () => {
    const drawn = model.get("ellipses_png");
    const asEllipses = model.get("ellipses") && drawn && drawn.byteLength > 0;
    ellipses.checked = model.get("ellipses");
    result.show(asEllipses ? drawn : model.get("result_png"));
    result.caption.textContent = asEllipses ? "its Gaussians" : ".gimg";
  };
  for (const name of ["result_png", "ellipses_png", "ellipses"]) listeners[name] = showResult;
  for (const [name, listener] of Object.entries(listeners)) {
    model.on(`change:${name}`, listener);
    listener();
  }

  // Encoding starts when the slider is let go.
  quality.addEventListener("input", () => (qualityText.textContent = quality.value));
  quality.addEventListener("change", () => {
    model.set("quality", Number(quality.value));
    model.save_changes();
  });
  zoom.addEventListener("input", () => setZoom(2 ** Number(zoom.value)));
  ellipses.addEventListener("change", () => {
    model.set("ellipses", ellipses.checked);
    model.save_changes();
  });

  for (const pane of [source, result]) {
    pane.frame.addEventListener("pointerdown", (event) => pane.frame.setPointerCapture(event.pointerId));
    pane.frame.addEventListener("pointermove", (event) => {
      if (!pane.frame.hasPointerCapture(event.pointerId)) return;
      const scale = model.get("zoom");
      setView(
        center.x - event.movementX / (pane.frame.clientWidth * scale),
        center.y - event.movementY / (pane.frame.clientHeight * scale),
      );
    });
    pane.frame.addEventListener(
      "wheel",
      (event) => {
        event.preventDefault();
        // The point under the pointer stays where it is.
        const box = pane.frame.getBoundingClientRect();
        const x = (event.clientX - box.left) / box.width - 0.5;
        const y = (event.clientY - box.top) / box.height - 0.5;
        const before = model.get("zoom");
        const point = { x: center.x + x / before, y: center.y + y / before };
        setZoom(before * 2 ** (-event.deltaY / 400));
        const after = model.get("zoom");
        setView(point.x - x / after, point.y - y / after);
      },
      { passive: false },
    );
  }

  return () => {
    for (const [name, listener] of Object.entries(listeners)) model.off(`change:${name}`, listener);
    source.clear();
    result.clear();
  };
}

export default { render };
