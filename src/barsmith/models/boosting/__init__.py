"""Trees that are grown one after the other, each mending the errors of those before."""
