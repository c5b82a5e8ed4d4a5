"""The pitch tracker and the codebook of its contours: what a run of nano begins with."""
