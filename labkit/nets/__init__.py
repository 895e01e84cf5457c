"""Behind `labkit.models`: the notations of its networks."""
