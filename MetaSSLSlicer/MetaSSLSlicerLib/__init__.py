"""The Slicer room of MetaSSL: MRML, views and widgets. It knows the engine by its folder only."""
