"""Order and time: frames by index, when each is due, and the count of what became of it."""
