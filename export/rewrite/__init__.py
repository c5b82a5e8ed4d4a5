"""The same function in the form that an engine runs fastest: modules rewritten before they are traced.

`export.rewrite.halves` is the door. States keep their names, shapes and meaning wherever that costs nothing.
"""
