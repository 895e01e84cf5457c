"""Behind `labkit.datasets`: one reader a format, archives, decoding, the cache."""
