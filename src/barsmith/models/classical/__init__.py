"""Models of classical statistics and machine learning that read rows."""
