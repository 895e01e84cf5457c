"""Behind `python -m labkit`: what all commands share, and those of data sets."""
