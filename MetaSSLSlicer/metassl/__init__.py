"""MetaSSL: semi-supervised segmentation that knows where it is unsure."""

__version__ = "0.1.0"
