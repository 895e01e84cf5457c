"""Behind `labkit.search`: spaces, methods, the record of a study."""
