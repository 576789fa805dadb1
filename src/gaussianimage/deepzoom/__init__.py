"""Deep zoom: pictures as pyramids of small tiles, which a browser shows at any zoom."""
