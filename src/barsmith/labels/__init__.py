"""What happened next: triple-barrier labels, how clean they are, and what they weigh in fitting."""
