import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from gaussianimage import picture
from gaussianimage.errors import LimitError, PictureError, PictureWarning
from gaussianimage.picture import icc, tiff

Y, X, K = np.mgrid[0:13, 0:21, 0:4]
RAMP = (Y * 7 + X * 5 + K * 11) % 200 / 199.0  # (13, 21, 4)
KINDS = {"u": 1, "i": 2, "f": 3}


def packed(rows, predictor, order):
    """Return the bytes of samples (rows, columns, channels) after a predictor."""
    size = rows.dtype.itemsize
    if predictor == 2:
        words = rows.view(f"u{size}")
        before = np.concatenate([np.zeros_like(words[:, :1]), words[:, :-1]], axis=1)
        rows = (words - before).view(rows.dtype)
    if predictor == 3:
        height, _, channels = rows.shape
        data = rows.astype(rows.dtype.newbyteorder(">")).reshape(height, -1)
        planes = np.ascontiguousarray(
            data.view("u1").reshape(height, -1, size).swapaxes(1, 2)
        ).reshape(height, -1)
        shifted = np.concatenate(
            [np.zeros((height, channels), "u1"), planes[:, :-channels]], axis=1
        )
        return (planes - shifted).tobytes()
    return rows.astype(rows.dtype.newbyteorder(order)).tobytes()


def build(
    values,
    *,
    order="<",
    big=False,
    compress=False,
    predictor=1,
    rows=None,
    tile=None,
    planar=False,
    extra=(),
    photometric=None,
    **tags,
):
    """Return a TIFF file, plain or deflated, made from the specification."""
    height, width, channels = values.shape
    planes = [values[..., k : k + 1] for k in range(channels)] if planar else [values]
    pieces = []
    for plane in planes:
        down, across = tile or (rows or height, width)
        for top in range(0, height, down):
            for left in range(0, width, across):
                part = plane[top : top + down, left : left + across]
                if tile:
                    part = np.pad(
                        part, [(0, down - part.shape[0]), (0, across - part.shape[1]), (0, 0)]
                    )
                pieces.append(packed(np.ascontiguousarray(part), predictor, order))
    if compress:
        pieces = [zlib.compress(piece) for piece in pieces]
    offsets, body = [], b""
    for piece in pieces:
        offsets.append(16 + len(body))
        body += piece
    bits, kind = 8 * values.dtype.itemsize, KINDS[values.dtype.kind]
    entries = {
        256: [width],
        257: [height],
        258: [bits] * channels,
        259: [8 if compress else 1],
        262: [photometric if photometric is not None else 2 if channels > 2 else 1],
        277: [channels],
        284: [2 if planar else 1],
        317: [predictor],
        339: [kind] * channels,
    }
    if extra:
        entries[338] = list(extra)
    sizes = [len(piece) for piece in pieces]
    if tile:
        entries |= {322: [tile[1]], 323: [tile[0]], 324: offsets, 325: sizes}
    else:
        entries |= {273: offsets, 278: [rows or height], 279: sizes}
    entries |= {int(tag[1:]): value for tag, value in tags.items()}
    return assemble(body, [entries], order=order, big=big)


def assemble(body, directories, *, order="<", big=False):
    """Put directories of 32-bit numbers behind the pixels."""
    word, count, entry = ("Q", "Q", "HHQ") if big else ("I", "H", "HHI")
    data = b"\0" * 16 + body
    first = len(data)
    for i, entries in enumerate(directories):
        start = len(data)
        size = struct.calcsize("=" + count) + len(entries) * (20 if big else 12)
        size += struct.calcsize("=" + word)
        outside = b""
        directory = struct.pack(order + count, len(entries))
        for tag, values in sorted(entries.items()):
            value = struct.pack(f"{order}{len(values)}I", *values)
            if len(value) > struct.calcsize("=" + word):
                place = struct.pack(order + word, start + size + len(outside))
                outside += value
                value = place
            directory += struct.pack(order + entry, tag, 4, len(values))
            directory += value.ljust(struct.calcsize("=" + word), b"\0")
        last = i == len(directories) - 1
        following = 0 if last else start + size + len(outside)
        data += directory + struct.pack(order + word, following) + outside
    name = b"II" if order == "<" else b"MM"
    head = (
        struct.pack(order + "HHHQ", 43, 8, 0, first)
        if big
        else struct.pack(order + "HI", 42, first)
    )
    return (name + head).ljust(16, b"\0") + data[16:]


def scaled(dtype, channels=1):
    values = RAMP[..., :channels]
    return values.astype(dtype) if np.dtype(dtype).kind == "f" else (values * 60000).astype(dtype)


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("order", ["<", ">"])
def test_floating_point_of_any_size_is_read(dtype, channels, order):
    result = picture.read(build(scaled(dtype, channels), order=order))
    np.testing.assert_allclose(result.pixels, RAMP[..., :channels], atol=1e-3)
    assert result.bit_depth == 16


@pytest.mark.parametrize("dtype", ["i4", "u4", "i8", "u8"])
@pytest.mark.parametrize("channels", [1, 3])
def test_long_integers_are_taken_for_16_bits_if_no_white_is_given(dtype, channels):
    values = scaled(dtype, channels)
    result = picture.read(build(values))
    np.testing.assert_allclose(result.pixels, values / 65535, atol=1e-6)
    result = picture.read(build(values * 1000), white=60_000_000)
    np.testing.assert_allclose(result.pixels, values / 60_000, atol=1e-6)


def test_a_white_that_is_needed_is_asked_for():
    with pytest.raises(PictureError, match=r"expected integers in 0..65535.*\(white=, --white\)"):
        picture.read(build(scaled("u4", 3) * 100_000))


@pytest.mark.parametrize(
    "options",
    [
        {"rows": 4},
        {"rows": 4, "compress": True},
        {"tile": (16, 16)},
        {"tile": (16, 16), "compress": True},
        {"planar": True},
        {"planar": True, "rows": 5, "compress": True},
        {"planar": True, "tile": (16, 16), "compress": True},
        {"compress": True, "predictor": 3},
        {"compress": True, "predictor": 3, "tile": (16, 16)},
        {"compress": True, "predictor": 3, "planar": True, "rows": 6},
        {"big": True},
        {"big": True, "rows": 4, "compress": True},
    ],
    ids=str,
)
@pytest.mark.parametrize("order", ["<", ">"])
def test_every_layout_is_understood(options, order):
    result = picture.read(build(scaled("f8", 3), order=order, **options))
    np.testing.assert_allclose(result.pixels, RAMP[..., :3], atol=1e-6)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("tile", [None, (16, 16)])
def test_differences_of_long_integers_are_summed(order, tile):
    values = scaled("u4", 3)
    data = build(values, order=order, tile=tile, compress=True, predictor=2)
    np.testing.assert_allclose(picture.read(data).pixels, values / 65535, atol=1e-6)


@pytest.mark.parametrize("compression", ["tiff_lzw", "packbits", "tiff_adobe_deflate"])
def test_every_compression_of_libtiff_is_unpacked(compression):
    """Pillow packs the bytes of doubles as gray pixels, and the directory is changed after."""
    values = scaled("f8")
    file = io.BytesIO()
    as_bytes = np.ascontiguousarray(values[..., 0]).view("u1")
    Image.fromarray(as_bytes).save(file, "TIFF", compression=compression)
    opened = Image.open(file)
    tags = {tag: opened.tag_v2[tag] for tag in (259, 273, 278, 279)}
    entries = {tag: list(v) if isinstance(v, tuple) else [v] for tag, v in tags.items()}
    entries |= {256: [21], 257: [13], 258: [64], 262: [1], 277: [1], 339: [3]}
    body = file.getvalue()
    shift = {273: [offset + 16 for offset in entries[273]]}
    data = assemble(body, [entries | shift])
    np.testing.assert_allclose(picture.read(data).pixels, RAMP[..., :1], atol=1e-6)


@pytest.mark.parametrize("extra", [1, 2])
def test_alpha_is_multiplied_in_once(extra):
    values = scaled("f8", 4)
    expected = values.copy()
    if extra == 2:
        expected[..., :3] *= values[..., 3:]
    else:
        values[..., :3] *= values[..., 3:]
        expected = values
    result = picture.read(build(values, extra=[extra]))
    np.testing.assert_allclose(result.pixels, expected, atol=1e-6)


def test_metadata_and_the_orientation_count():
    profile = icc.rgb_profile(icc.SRGB_PRIMARIES, icc.gamma_curve(1.8), "Gamma 1.8")
    values = scaled("f8", 3)
    data = bytearray(build(values, t274=[6], t34675=[0] * len(profile), t700=[0] * 4))
    # The numbers have 32 bits, and these are bytes: the profile goes where its zeros are.
    for tag, content in ((34675, profile), (700, b"<x/>")):
        entry = data.rindex(struct.pack("<HHI", tag, 4, len(content)))
        (place,) = struct.unpack_from("<I", data, entry + 8)
        struct.pack_into("<H", data, entry + 2, 1)
        target = entry + 8 if len(content) <= 4 else place
        data[target : target + len(content)] = content
    result = picture.read(bytes(data))
    np.testing.assert_allclose(result.pixels, np.rot90(values, -1), atol=1e-6)
    assert (result.icc, result.xmp) == (profile, b"<x/>")


def test_channels_that_are_no_color_are_left_out():
    result = picture.read(build(scaled("f8", 4), extra=[0]))
    assert result.channels == 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"t258": [24]}, "samples of 24 bits"),
        ({"t258": [64], "t339": [6]}, "format 6"),
        ({"t262": [8]}, "photometric interpretation 8"),
        ({"t259": [34887]}, "compression 34887"),
        ({"t266": [2]}, "bits in reversed order"),
    ],
    ids=str,
)
def test_what_is_not_understood_is_unsupported_and_not_broken(options, message):
    with pytest.raises(PictureError, match=f"^the data: unsupported TIFF: .*{message}"):
        picture.read(build(scaled("f8"), **options))


def test_a_file_that_is_cut_is_an_error():
    data = build(scaled("f8", 3), t273=[10_000_000])
    with pytest.raises(PictureError, match="truncated"):
        picture.read(data)


def test_a_size_that_is_too_much_is_refused_before_room_is_made():
    with pytest.raises(PictureError, match="too large: 65536 a side"):
        picture.read(build(scaled("f8"), t256=[13_452_805]))
    with pytest.raises(LimitError, match="max_pixels"):
        picture.read(build(scaled("f8"), t256=[60_000], t257=[60_000]))
    with pytest.raises(PictureError, match="too small for its size"):
        picture.read(build(scaled("f8"), t256=[9_000], t257=[9_000], t278=[9_000]))


def test_damage_is_an_error_of_ours_or_a_picture():
    data = build(scaled("f8", 3), compress=True, rows=4)
    generator = np.random.default_rng(0)
    for _ in range(300):
        broken = bytearray(data)
        for _ in range(3):
            place = generator.integers(len(data) // 2, len(data))
            broken[place] = generator.integers(256)
        try:
            result = picture.read(bytes(broken), max_pixels=10**6)
        except (PictureError, LimitError):
            continue
        assert np.isfinite(result.pixels).all()


class TestPages:
    def page(self, kind=0):
        return {254: [kind], 256: [2], 257: [2]}

    @pytest.mark.parametrize("order", ["<", ">"])
    @pytest.mark.parametrize("big", [False, True])
    @pytest.mark.parametrize("count", [1, 2, 5])
    def test_are_counted(self, count, big, order):
        file = io.BytesIO(assemble(b"", [self.page()] * count, order=order, big=big))
        assert tiff.pages(file) == (count, False)

    def test_are_no_smaller_versions_and_masks(self):
        pages = [self.page(0), self.page(1), self.page(4)]
        assert tiff.pages(io.BytesIO(assemble(b"", pages))) == (1, False)

    def test_may_begin_with_a_preview(self):
        pages = [self.page(1), self.page(0)]
        assert tiff.pages(io.BytesIO(assemble(b"", pages))) == (1, True)

    def test_in_a_circle_are_counted_once(self):
        data = bytearray(assemble(b"", [self.page()]))
        data[-4:] = struct.pack("<I", 16)
        assert tiff.pages(io.BytesIO(bytes(data))) == (1, False)

    def test_of_another_format_are_one(self):
        assert tiff.pages(io.BytesIO(b"\x89PNG\r\n\x1a\n" + bytes(30))) == (1, False)

    def test_are_told_of_doubles_too(self):
        values = scaled("f8")
        data = bytearray(build(values))
        first = struct.unpack_from("<I", data, 4)[0]
        (entries,) = struct.unpack_from("<H", data, first)
        struct.pack_into("<I", data, first + 2 + 12 * entries, len(data))
        data += struct.pack("<HHHIII", 1, 254, 4, 1, 0, 0)
        with pytest.warns(PictureWarning, match="2 pages; the first is read"):
            result = picture.read(bytes(data))
        np.testing.assert_allclose(result.pixels, RAMP[..., :1], atol=1e-6)
