"""Behind `labkit.figures`: the charts, by what they show."""
