"""Behind `labkit.running`: who trains rows, on a cluster or in the background."""
