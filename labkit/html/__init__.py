"""Behind `labkit.reports`: the pages and their templates."""
