"""The texts in a bundle that people read, and how its run talks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from metassl.inference.model import TrainedModel
from metassl.project.structures import LabelDefinition

LOGGING = """[loggers]
keys=root

[handlers]
keys=console

[formatters]
keys=plain

[logger_root]
level=INFO
handlers=console

[handler_console]
class=StreamHandler
level=INFO
formatter=plain
args=(sys.stdout,)

[formatter_plain]
format=%(asctime)s %(levelname)s %(name)s: %(message)s
"""

_LICENCE = """No licence has been given for the weights of this model ({name}).

Without one nobody but its makers may use or pass it on. Before you do, look at what the images and the annotations
that it learnt from allow, put the licence here, and its name into "license" in configs/metadata.json.

scripts/unet.py is a part of MetaSSL for 3D Slicer: Apache License 2.0, https://www.apache.org/licenses/LICENSE-2.0
"""

_README = """# {name}

{description}

{intended_use}

| label | structure |
|---|---|
{structures}

Channels, in this order: {channels}. Grid of the networks: {plan}.

## Run it

In the folder of the bundle, with `pip install 'metassl[bundle]'` (that is, with fire and pytorch-ignite):

    python -m monai.bundle run --config_file configs/inference.json --dataset_dir IMAGES --output_dir OUT

IMAGES is a folder of images (also of DICOM series), a table of cases (CSV) or a file. OUT gets, for each case and on
the grid of its image:

- `CASE.nii.gz`: the labels.
- `CASE_regions.nii.gz`: 1 both networks agree and are sure, 2 they agree and at least one is not sure, 3 they differ
  and one is surer than usual, 4 they differ and both waver.
- `CASE_uncertainty.nii.gz`: the entropy of the mean prediction, 0 to 1.{error_probability}

A file that is there already is written anew, and an image that cannot be used ends the run. `metassl predict BUNDLE
--images IMAGES --out OUT` writes the same voxels, goes on with the other images, and overwrites nothing.

{alone}

## Before you pass it on

Authors, copyright, licence and the source of the data are "not stated" in `configs/metadata.json`, and `LICENSE` grants
nothing: only you know them.

## References

{references}
"""

_ALONE = """\
Without metassl there is the network alone (`network_def`, of torch and MONAI; `models/model.pt` has its weights): it
takes what `ToPlanGridd` gives, and returns the mean probabilities."""

_NOT_ALONE = (
    """The network is one of nnU-Net's, as metassl builds it: without metassl nothing of the bundle can be used."""
)

_ERRORS = "\n- `CASE_error_probability.nii.gz`: how likely the label is wrong, as learnt on validation cases."


def licence(name: str) -> str:
    """The file LICENSE."""
    return _LICENCE.format(name=name)


def readme(
    about: Mapping[str, Any], structures: Sequence[LabelDefinition], channels: Sequence[str], model: TrainedModel
) -> str:
    """docs/README.md. about: the content of metadata.json."""
    return _README.format(
        **{name: about[name] for name in ("name", "description", "intended_use")},
        structures="\n".join(f"| {each.value} | {each.name} |" for each in structures),
        channels=", ".join(channels),
        plan=model.plan.describe(),
        alone=_ALONE if model.plan.given is None else _NOT_ALONE,
        error_probability=_ERRORS if model.error_model is not None else "",
        references="\n".join(f"- {each}" for each in about["references"]),
    )
