"""Lock formats: a module for each, which reads it into a `PinnedList`."""
