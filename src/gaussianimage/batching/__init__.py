"""Many pictures: encoding, decoding and thumbnails over folders, lists and object stores."""
