"""What nnU-Net's own predictor says of images: python nnunet_itself.py MODEL OUT FOLD IMAGE ...

MODEL: the folder of a trained model. OUT gets N.npz with "probabilities" (K, z, y, x) and "labels" of the N-th image.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path


def main(model: str, out: str, fold: str, *images: str) -> None:
    for name in ("raw", "preprocessed", "results"):
        os.environ.setdefault(f"nnUNet_{name}", out)
    import numpy as np
    import torch
    from nnunetv2.imageio.simpleitk_reader_writer import SimpleITKIO
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor

    predictor = nnUNetPredictor(perform_everything_on_device=False, device=torch.device("cpu"), allow_tqdm=False)
    folds = None if fold == "all folds" else (int(fold),)
    names = {path.name for path in Path(model).glob("fold_*/checkpoint_*.pth")}
    name = "checkpoint_final.pth" if "checkpoint_final.pth" in names else "checkpoint_best.pth"
    predictor.initialize_from_trained_model_folder(model, folds, name)
    for number, image in enumerate(images):
        data, properties = SimpleITKIO().read_images(image.split(","))
        labels, probabilities = predictor.predict_single_npy_array(data, properties, None, None, True)
        np.savez(Path(out) / f"{number}.npz", probabilities=probabilities, labels=labels)


if __name__ == "__main__":
    main(*sys.argv[1:])
