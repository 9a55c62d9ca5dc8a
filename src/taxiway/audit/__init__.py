"""`taxiway audit`: an image read without a daemon, root or a network, and held against rules.

The way of the data: `reader` finds configuration and layers; `image.scan` streams these once through `tar` and the probes of
the rules; `tree` merges them; `rules` are functions over the image that results.
"""
