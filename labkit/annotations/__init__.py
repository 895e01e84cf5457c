"""Behind `labkit.annotate`: what is asked, and the journal of the answers."""
