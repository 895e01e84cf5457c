"""Behind `labkit.camera`: where frames come from, and what is written of them."""
