"""A finished model as a MONAI bundle: the parts that `configs/inference.json` names, and how it is written and read.

The parts are MONAI's kinds of components (reader, transforms, inferer, writer) over the functions by which every other
prediction is made, so that both give the same voxels.
"""

from .components import CaseReader, GridWriter, PairInferer, RegionMapd, ToPlanGridd, cases_in, network_of

__all__ = ["CaseReader", "GridWriter", "PairInferer", "RegionMapd", "ToPlanGridd", "cases_in", "network_of"]
