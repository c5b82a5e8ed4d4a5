"""How good nano is beside other codecs: the same recordings through all of them, scored by the same measures."""
