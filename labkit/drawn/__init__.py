"""Behind `labkit.synthetic`: what a built-in face is made of and how it is painted."""
