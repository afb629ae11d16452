"""Which way of choosing the next case needs the fewest labels: an oracle annotator plays the whole loop."""
