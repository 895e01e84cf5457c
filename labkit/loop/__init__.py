"""Behind `labkit.training`: what its loop is made of."""
