"""A room that nobody is in: a virtual sound card, real speech, real processes. Tests and benchmarks listen in it."""
