"""Sound behind http and https: a file, a radio, a list of pieces."""
