"""Ours beside what people use: nnU-Net and the app of MONAI Label, on the same cases, machine and minutes."""
