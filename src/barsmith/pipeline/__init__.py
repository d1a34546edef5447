"""The stages in order, the runner that has their paths, cache and progress, and what a run leaves behind."""
