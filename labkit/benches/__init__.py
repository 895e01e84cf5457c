"""Behind `labkit.bench`: what is measured in a browser, and the browser."""
