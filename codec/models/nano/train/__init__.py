"""Training of nano: `python -m codec.models.nano.train --data DIR --minutes M`."""
