"""Recordings through the codec: one file, or whole folders, some at once; audio to tokens and back.

`encode_job` and `decode_job` say what is done with one recording, `rows` runs several of them side by side in one
session, `folder` goes through many and remembers what is done. The kinds of token files are in `codec.formats`.
"""
