"""Train small models with nnU-Net itself: python train_nnunet.py RAW OUT [--steps N] [--width F] MODEL ...

RAW: a data set as `metassl export nnunet` writes it. MODEL: CONFIGURATION:PLANNER:FOLDS, such as
3d_fullres:ExperimentPlanner:0,1. What it trains lies in OUT/results as nnU-Net keeps it; epochs are short.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("raw", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--width", type=int, default=0, help="features of the first level; 0: as planned")
    parser.add_argument("--batch", type=int, default=2)
    options = parser.parse_args()
    for name in ("preprocessed", "results"):
        (options.out / name).mkdir(parents=True, exist_ok=True)
        os.environ[f"nnUNet_{name}"] = str(options.out / name)
    os.environ |= {"nnUNet_raw": str(options.raw.parent), "nnUNet_n_proc_DA": "1", "nnUNet_compile": "f"}

    import torch
    from nnunetv2.experiment_planning.plan_and_preprocess_api import (
        extract_fingerprints,
        plan_experiments,
        preprocess,
    )
    from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

    number = int(options.raw.name[7:10])
    extract_fingerprints([number], num_processes=1)
    folder = options.out / "preprocessed" / options.raw.name
    for model in options.models:
        configuration, planner, folds = model.split(":")
        plan_experiments([number], experiment_planner_class_name=planner)
        name = "nnUNetPlans" if planner == "ExperimentPlanner" else planner.replace("nnUNetPlanner", "nnUNet") + "Plans"
        name = name.replace("ResEnc", "ResEncUNet") if "ResEnc" in name else name
        path = folder / f"{name}.json"
        plans = json.loads(path.read_text(encoding="utf-8"))
        for each in plans["configurations"].values():
            each["batch_size"] = options.batch
            arguments = each.get("architecture", {}).get("arch_kwargs")
            if arguments and options.width:
                count = len(arguments["features_per_stage"])
                arguments["features_per_stage"] = [min(options.width * 2**n, 320) for n in range(count)]
        path.write_text(json.dumps(plans), encoding="utf-8")
        preprocess([number], name, (configuration,), num_processes=(1,))
        described = json.loads((folder / "dataset.json").read_text(encoding="utf-8"))
        os.environ["nnUNet_n_proc_DA"] = "0"  # in this process; planning wants a number above
        for fold in map(int, folds.split(",")):
            torch.manual_seed(fold)
            trainer = nnUNetTrainer(
                {**plans, "continue_training": False}, configuration, fold, described, torch.device("cpu")
            )
            trainer.num_epochs, trainer.num_iterations_per_epoch, trainer.num_val_iterations_per_epoch = (
                max(options.steps // 10, 1),
                min(options.steps, 10),
                1,
            )
            trainer.run_training()
        os.environ["nnUNet_n_proc_DA"] = "1"


if __name__ == "__main__":
    main()
