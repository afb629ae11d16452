"""Which case to look at next: strategies, one short file each; `metassl.choices.strategies` lists them."""
