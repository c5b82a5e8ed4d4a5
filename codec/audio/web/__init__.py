"""Sound behind http and https: the rules of asking for it, and a recording fetched whole. No FFmpeg, no torch."""
