"""Checks that tests and the authors of plugins run: imported by nothing else."""
