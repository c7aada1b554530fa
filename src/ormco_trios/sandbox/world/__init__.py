"""What exists and what time it is: the `World`, its records, and what exists at the beginning."""
