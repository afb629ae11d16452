"""What MetaSSL brings: the same trainings with the losses side by side, other labelled cases with every seed."""
