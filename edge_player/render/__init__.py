"""Sound out: from a frame that is due to samples in the ring that a sink empties."""
