"""nnU-Net v2 as it plans, prepares, augments, steps and predicts itself; only how long it trains is ours.

Its own training has 1000 epochs of 250 steps, a day or more of a GPU. So the loop is replaced: steps until the time is
spent, no validation passes and no drawings between them, and the learning rate falls along its own polynomial by the
time that is spent, so that the decay ends with the minutes on whatever machine. All labelled cases train (its fold
"all"), and the last weights count, as in nnU-Net. With "1000 epochs" the rate is that of its own schedule, cut off.

Fine-tuning is as its documentation says (pretraining_and_finetuning): the plans of the former model for the new data
set, and its weights but those of the segmentation layers (`nnUNetv2_train ... -pretrained_weights`).

Isensee et al., Nature Methods 18 (2021), https://github.com/MIC-DKFZ/nnUNet
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import torch
from metassl.files.atomic import make_folder
from metassl.files.errors import MetaSSLError

from metassl_research.peers.training.job import TrainingJob

PLANS, CONFIGURATION = "nnUNetPlans", "3d_fullres"
EPOCHS, STEPS_AN_EPOCH, POWER = 1000, 250, 0.9
BY_TIME, BY_EPOCHS = SCHEDULES = "time", "1000 epochs"
TRAINER, FOLD, FINAL = "nnUNetTrainer", "fold_all", "checkpoint_final.pth"


def learning_rate(initial: float, number: int, spent: float, schedule: str) -> float:
    """Of step `number`: the polynomial over the share of the time that is spent, or over nnU-Net's own 1000 epochs."""
    share = spent if schedule == BY_TIME else min(number // STEPS_AN_EPOCH / EPOCHS, 1.0)
    return float(initial * (1.0 - share) ** POWER)


def model_folder(folder: Path) -> Path:
    """Where the trained model of the job in `folder` lies, as nnU-Net keeps it. MetaSSLError while there is none."""
    found = list(folder.glob(f"results/*/{TRAINER}__{PLANS}__{CONFIGURATION}/{FOLD}/{FINAL}"))
    if not found:
        raise MetaSSLError(f"the model to begin with is not trained yet: there is no {FINAL} in {folder}")
    return found[0].parents[1]


def peer(job: TrainingJob) -> NnunetPeer:
    """Plan and preprocess, which takes nothing of the minutes. nnU-Net reads its folders when it is imported."""
    for name in ("preprocessed", "results"):
        os.environ[f"nnUNet_{name}"] = str(make_folder(job.path / name))
    os.environ |= {"nnUNet_raw": str(Path(job.raw).parent), "nnUNet_compile": "f", "nnUNet_n_proc_DA": "1"}
    os.environ["OMP_NUM_THREADS"] = str(job.threads)
    torch.set_num_threads(job.threads)
    _prepare(job)
    # The processor clock is that of one process, so there it augments in that process.
    workers = job.threads if job.clock == "wall" and job.threads > 1 else 0
    os.environ["nnUNet_n_proc_DA"] = str(workers)
    return NnunetPeer(job)


def _prepare(job: TrainingJob) -> None:
    from nnunetv2.experiment_planning.plan_and_preprocess_api import extract_fingerprints, plan_experiments, preprocess

    raw, folder = Path(job.raw), job.path / "preprocessed" / Path(job.raw).name
    number = int(raw.name[7:10])
    done = folder / "prepared"
    if done.exists():
        return
    extract_fingerprints([number], num_processes=1)
    if job.model:
        plans = json.loads((Path(job.model) / "plans.json").read_text(encoding="utf-8"))
        plans |= {"dataset_name": raw.name, "plans_name": PLANS}
        (folder / f"{PLANS}.json").write_text(json.dumps(plans), encoding="utf-8")
        shutil.copy(raw / "dataset.json", folder / "dataset.json")
    else:
        plan_experiments([number])
    preprocess([number], PLANS, (CONFIGURATION,), num_processes=(1,))
    done.touch()


class NnunetPeer:
    packages = ("nnunetv2",)

    def __init__(self, job: TrainingJob) -> None:
        import numpy as np
        from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
        from nnunetv2.run.load_pretrained_weights import load_pretrained_weights
        from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

        self.job = job
        device = torch.device(job.device)
        torch.manual_seed(job.seed)
        np.random.seed(job.seed)
        folder = job.path / "preprocessed" / Path(job.raw).name
        plans, described = (
            json.loads((folder / f"{name}.json").read_text(encoding="utf-8")) for name in (PLANS, "dataset")
        )
        plans = {**plans, "continue_training": False}
        self.trainer: Any = nnUNetTrainer(plans, CONFIGURATION, "all", described, device)
        self.trainer.initialize()
        if job.model:
            load_pretrained_weights(self.trainer.network, str(Path(job.model) / FOLD / FINAL))
        self.trainer.on_train_start()
        self.network: torch.nn.Module = self.trainer.network
        on_device = device.type == "cuda"
        self._predictor: Any = nnUNetPredictor(
            perform_everything_on_device=on_device, device=device, verbose=False, allow_tqdm=False
        )

    def step(self, number: int, spent: float) -> None:
        self.network.train()
        for group in self.trainer.optimizer.param_groups:
            group["lr"] = learning_rate(self.trainer.initial_lr, number, spent, self.job.schedule)
        self.trainer.train_step(next(self.trainer.dataloader_train))

    def state(self) -> dict[str, Any]:
        return {"network": self.network.state_dict(), "optimizer": self.trainer.optimizer.state_dict()}

    def load(self, state: dict[str, Any]) -> None:
        self.network.load_state_dict(state["network"])
        self.trainer.optimizer.load_state_dict(state["optimizer"])

    def predict(self, images: list[Path], path: Path) -> None:
        from nnunetv2.imageio.simpleitk_reader_writer import SimpleITKIO

        trainer = self.trainer
        trainer.set_deep_supervision_enabled(False)
        self._predictor.manual_initialization(
            self.network,
            trainer.plans_manager,
            trainer.configuration_manager,
            [self.network.state_dict()],
            trainer.dataset_json,
            TRAINER,
            trainer.inference_allowed_mirroring_axes,
        )
        data, properties = SimpleITKIO().read_images([str(image) for image in images])
        self._predictor.predict_single_npy_array(data, properties, None, str(path).removesuffix(".nii.gz"), False)
        trainer.set_deep_supervision_enabled(trainer.enable_deep_supervision)

    def finish(self) -> None:
        self.trainer.on_train_end()
