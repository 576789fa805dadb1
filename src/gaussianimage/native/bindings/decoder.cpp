// Python's view of the decoder: bytes in, pixels out.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/array.h>
#include <nanobind/stl/optional.h>

#include <algorithm>
#include <atomic>
#include <stdexcept>

#include "base/pool.h"
#include "bindings/common.h"
#include "bindings/without_gil.h"
#include "file/picture_decoder.h"

namespace nb = nanobind;

namespace gi {
namespace {

using Classes = nb::ndarray<const uint8_t, nb::numpy, nb::ndim<2>, nb::c_contig>;
using Sets = nb::ndarray<uint8_t, nb::numpy, nb::ndim<2>, nb::c_contig>;
using Background = nb::ndarray<const float, nb::numpy, nb::ndim<1>, nb::c_contig>;

// The bytes of an object that supports the buffer protocol with contiguous memory. The object
// cannot move them while the view exists. For any other object the view is empty.
class BytesView {
 public:
  explicit BytesView(nb::handle object) {
    if (PyObject_GetBuffer(object.ptr(), &view_, PyBUF_SIMPLE) != 0) {
      PyErr_Clear();
      view_ = Py_buffer{};
    }
  }
  ~BytesView() { PyBuffer_Release(&view_); }
  BytesView(const BytesView&) = delete;
  BytesView& operator=(const BytesView&) = delete;
  const uint8_t* data() const { return static_cast<const uint8_t*>(view_.buf); }
  size_t size() const { return static_cast<size_t>(view_.len); }

 private:
  Py_buffer view_{};
};

// The layers of a file that Python has parsed, and the parameters from its header.
struct Layers {
  PictureFile file;
  std::vector<nb::bytes> owners;
  nb::bytes map_owner;
};

// The array to draw to: the caller's if it fits, or a new one. `data` is null if the caller's does
// not fit.
struct OutputArray {
  nb::object array;
  void* data = nullptr;
};

bool fits(const nb::ndarray<nb::device::cpu, nb::c_contig>& array, nb::dlpack::dtype dtype,
          const Part& part, int channels) {
  const size_t dimensions = channels == 1 ? 2 : 3;
  return array.ndim() == dimensions && array.dtype() == dtype &&
         array.shape(0) == static_cast<size_t>(part.height) &&
         array.shape(1) == static_cast<size_t>(part.width) &&
         (channels == 1 || array.shape(2) == static_cast<size_t>(channels));
}

template <typename T>
OutputArray make_output_array(nb::object out, const Part& part, int channels) {
  if (!out.is_none()) {
    nb::ndarray<nb::device::cpu, nb::c_contig> array;
    if (!nb::try_cast(out, array, false) || !fits(array, nb::dtype<T>(), part, channels)) return {};
    return {out, array.data()};
  }
  const auto height = static_cast<size_t>(part.height), width = static_cast<size_t>(part.width);
  if (channels == 1) {
    auto array = make_array<T>({height, width});
    return {nb::cast(array), array.data()};
  }
  auto array = make_array<T>({height, width, static_cast<size_t>(channels)});
  return {nb::cast(array), array.data()};
}

OutputArray make_output_array(nb::object out, PixelKind kind, const Part& part, int channels) {
  if (kind == PixelKind::bytes) return make_output_array<uint8_t>(std::move(out), part, channels);
  if (kind == PixelKind::words) return make_output_array<uint16_t>(std::move(out), part, channels);
  return make_output_array<float>(std::move(out), part, channels);
}

PixelKind make_kind(int kind) {
  if (kind < 0 || kind > static_cast<int>(PixelKind::words)) throw nb::value_error("kind");
  return static_cast<PixelKind>(kind);
}

Size drawn_size(const PictureFile& file, const std::optional<Size>& size) {
  return size.value_or(Size{file.quantizer.height, file.quantizer.width});
}

DecodeRequest make_request(const PictureFile& file, int kind, const std::optional<Size>& size,
                           const std::optional<Crop>& crop, size_t layers, int threads,
                           uint64_t most_work) {
  const auto [height, width] = drawn_size(file, size);
  if (height < 1 || width < 1 || height > max_side || width > max_side) {
    throw nb::value_error("height and width must be from 1 to 65536");
  }
  return {height,  width,    make_part(crop, height, width), layers, make_kind(kind),
          threads, most_work};
}

// A decoder that several Python threads may call. A call that finds it busy uses a temporary
// decoder.
class SharedDecoder {
 public:
  explicit SharedDecoder(bool keep_all) : keep_all_(keep_all) {}

  // Runs task(decoder).
  template <typename Task>
  void with(Task&& task) {
    // Not a mutex: when the handler of a signal decodes, this thread may hold the decoder already.
    const Hold hold(busy_);
    if (!hold.first) {
      PictureDecoder other;
      task(other);
      return;
    }
    try {
      task(decoder_);
    } catch (...) {
      if (!keep_all_) decoder_.trim();
      throw;
    }
    if (!keep_all_) decoder_.trim();
  }

  // Ends the calls of other threads on this decoder with KeyboardInterrupt, now and from now on.
  void stop() { stopped_.store(true); }

  // Returns the pixels of a complete and ordinary file. Returns None for any other file, and for an
  // `out` that does not fit; then the Python code decodes the file in another way, or says what is
  // wrong.
  nb::object decode(nb::object data, int kind, std::optional<Size> size, std::optional<Crop> crop,
                    int layers, int threads, std::array<uint64_t, 6> limits, nb::object out) {
    const BytesView bytes(data);
    nb::object result = nb::none();
    with([&](PictureDecoder& decoder) {
      PictureFile& file = decoder.file;
      const FileLimits most{limits[0], limits[1], limits[2], limits[3], limits[4], limits[5]};
      if (!read_picture_file(bytes.data(), bytes.size(), most, file) || layers > file.layers ||
          (crop && !lies_within(*crop, drawn_size(file, size)))) {
        return;
      }
      const size_t wanted = static_cast<size_t>(layers < 0 ? file.layers : layers);
      const DecodeRequest request =
          make_request(file, kind, size, crop, wanted, threads, most.work);
      const uint64_t output = uint64_t(request.part.height) * uint64_t(request.part.width) *
                              uint64_t(file.quantizer.channels) * bytes_per_value(request.kind);
      if (output > most.output || estimate_memory(file.gaussians, output) > most.memory) return;
      OutputArray output_array =
          make_output_array(std::move(out), request.kind, request.part, file.quantizer.channels);
      if (!output_array.data) return;
      DecodedPicture picture;
      without_gil([&] { picture = decoder.draw(file, request, output_array.data); }, &stopped_);
      const bool all = wanted == static_cast<size_t>(file.layers);
      if (picture.drawn && !(all && picture.gaussians != file.gaussians))
        result = output_array.array;
    });
    return result;
  }

  // Returns the number of complete layers, the number of their Gaussians, whether the alpha map is
  // good, whether drawing takes no more work than the header announces, and the pixels, or None if
  // nothing is drawn.
  nb::tuple draw(const Layers& layers, int kind, std::optional<Size> size, std::optional<Crop> crop,
                 int threads, uint64_t most_work, nb::object out) {
    const PictureFile& file = layers.file;
    const DecodeRequest request =
        make_request(file, kind, size, crop, file.payloads.size(), threads, most_work);
    OutputArray output_array =
        make_output_array(std::move(out), request.kind, request.part, file.quantizer.channels);
    if (!output_array.data) throw nb::value_error("out does not fit");
    DecodedPicture picture;
    with([&](PictureDecoder& decoder) {
      without_gil([&] { picture = decoder.draw(file, request, output_array.data); }, &stopped_);
    });
    return nb::make_tuple(picture.layers, picture.gaussians, picture.good_map, picture.honest,
                          picture.drawn ? output_array.array : nb::none());
  }

 private:
  struct Hold {
    explicit Hold(std::atomic<bool>& busy) : busy(busy), first(!busy.exchange(true)) {}
    ~Hold() {
      if (first) busy.store(false);
    }
    Hold(const Hold&) = delete;
    Hold& operator=(const Hold&) = delete;
    std::atomic<bool>& busy;
    const bool first;
  };

  std::atomic<bool> busy_{false}, stopped_{false};
  PictureDecoder decoder_;
  bool keep_all_;
};

}  // namespace

void bind_decoder(nb::module_& m) {
  m.def("sixteenth_power", &sixteenth_power, nb::arg("sixteenths"));

  nb::class_<Layers>(m, "Layers")
      .def(
          "__init__",
          [](Layers* self, const Quantizer& quantizer, Background background, double q_max,
             uint64_t work, size_t gaussians, int announced, nb::list list, nb::bytes alpha_map) {
            if (background.shape(0) != static_cast<size_t>(quantizer.channels)) {
              throw nb::value_error("background must have a value for each channel");
            }
            std::vector<nb::bytes> payloads = list_bytes(list);
            new (self) Layers{{quantizer, {}, q_max, work, gaussians, announced, {}, {}}, {}, {}};
            std::copy_n(background.data(), background.shape(0), self->file.background);
            for (const nb::bytes& part : payloads) {
              self->file.payloads.emplace_back(static_cast<const uint8_t*>(part.data()),
                                               part.size());
            }
            self->owners = std::move(payloads);
            if (alpha_map.size() > 0) {
              self->file.alpha_map = {static_cast<const uint8_t*>(alpha_map.data()),
                                      alpha_map.size()};
            }
            self->map_owner = std::move(alpha_map);
          },
          nb::arg("quantizer"), nb::arg("background"), nb::arg("q_max"), nb::arg("work"),
          nb::arg("gaussians"), nb::arg("announced"), nb::arg("payloads"), nb::arg("alpha_map"));

  m.def(
      "encode_alpha_map",
      [](Classes classes) {
        std::vector<uint8_t> bytes;
        without_gil([&] {
          bytes = encode_alpha_map(classes.data(), static_cast<int>(classes.shape(0)),
                                   static_cast<int>(classes.shape(1)));
        });
        return nb::bytes(bytes.data(), bytes.size());
      },
      nb::arg("classes"));

  // Returns None if the bytes are not a map of this size.
  m.def(
      "decode_alpha_map",
      [](nb::bytes data, int height, int width) -> nb::object {
        std::vector<uint8_t> classes;
        AlphaMapWorkspace room;
        bool good = false;
        without_gil([&] {
          good = decode_alpha_map(static_cast<const uint8_t*>(data.data()), data.size(), height,
                                  width, classes, room);
        });
        if (!good) return nb::none();
        return copy_array(classes.data(),
                          {static_cast<size_t>(height), static_cast<size_t>(width)});
      },
      nb::arg("data"), nb::arg("height"), nb::arg("width"));

  // Adds the classes of a rectangle of a map, (h, w) or (1, 1) if all are the same, to the sets of
  // the pixels of `crop` of a picture that is drawn at a size.
  m.def(
      "add_alpha_sets",
      [](Sets sets, Classes classes, Crop place, Size map, Size drawn, Crop crop, int threads) {
        const auto [top, left, height, width] = place;
        const bool one = classes.size() == 1;
        const bool whole = classes.shape(0) == static_cast<size_t>(height) &&
                           classes.shape(1) == static_cast<size_t>(width);
        if (!lies_within(place, map) || !lies_within(crop, drawn) || !(one || whole) ||
            sets.shape(0) != static_cast<size_t>(crop[2]) ||
            sets.shape(1) != static_cast<size_t>(crop[3]) ||
            std::max({map[0], map[1], drawn[0], drawn[1]}) > max_window_side ||
            *std::max_element(classes.data(), classes.data() + classes.size()) > as_drawn) {
          throw nb::value_error("classes or sets of another size");
        }
        const AlphaTile tile{
            {top, left, height, width}, one ? nullptr : classes.data(), classes.data()[0]};
        AlphaMapWorkspace room;
        without_gil([&] {
          add_alpha_sets(tile, map[0], map[1], drawn[0], drawn[1],
                         {crop[0], crop[1], crop[2], crop[3]}, resolve_threads(threads),
                         sets.data(), room);
        });
      },
      nb::arg("sets"), nb::arg("classes"), nb::arg("place"), nb::arg("map_size"),
      nb::arg("drawn_size"), nb::arg("crop"), nb::arg("threads"));

  // Replaces the sets by the classes of the pixels.
  m.def(
      "alpha_sets_to_classes", [](Sets sets) { alpha_sets_to_classes(sets.data(), sets.size()); },
      nb::arg("sets"));

  nb::class_<SharedDecoder>(m, "Decoder")
      .def(nb::init<bool>(), nb::arg("keep_all"))
      .def("decode", &SharedDecoder::decode, nb::arg("data").none(), nb::arg("kind"),
           nb::arg("size").none(), nb::arg("crop").none(), nb::arg("layers"), nb::arg("threads"),
           nb::arg("limits"), nb::arg("out").none())
      .def("draw", &SharedDecoder::draw, nb::arg("layers"), nb::arg("kind"), nb::arg("size").none(),
           nb::arg("crop").none(), nb::arg("threads"), nb::arg("most_work"), nb::arg("out").none())
      .def("stop", &SharedDecoder::stop);
}

}  // namespace gi
