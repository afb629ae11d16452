"""Labels and predictions as files for other programs, one file per format."""
