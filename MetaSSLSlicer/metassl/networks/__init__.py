"""The network of a plan, the device that it runs on, what to give up when its memory is full, and its file."""

from metassl.networks.first_calls import resolve

resolve()
