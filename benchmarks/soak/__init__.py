"""Both ends through virtual sound cards for a long time: does anything grow, drift or get lost?"""
