"""A bundle and its doors: batch files, live minutes, and the proof that both give the same bits."""
