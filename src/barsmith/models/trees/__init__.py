"""Decision trees as checked arrays, and the compiled walks that score them: for the boosters and the random forest."""
