"""Audio in and out: files as streams of mono blocks, sample rates, WAV files, sound cards.

Import from the modules: each loads its own library, and nobody pays for one that is not used.
"""
