"""Token files: the codes of recordings on disk, as .vwt (small, ours), .pt (torch), .npz (numpy) or an LMDB cache.

Import from the modules: those of torch and LMDB are imported when such a file is met.
"""
