"""Values that everything else speaks in. No input or output, no clock, no log."""
