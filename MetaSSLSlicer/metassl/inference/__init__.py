"""From a trained pair of networks to a segmentation, its four regions and its uncertainty on the image's own grid."""
